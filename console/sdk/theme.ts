import { useComputedColorScheme, useMantineColorScheme } from "@mantine/core";

/** Whether the console is light or dark now, and how to change it. */
export function useTheme() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  return { scheme, dark: scheme === "dark", setScheme: setColorScheme };
}
