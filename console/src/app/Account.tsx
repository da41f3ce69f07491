import { ActionIcon, Avatar, Button, Group, Menu, Text, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link } from "react-router";
import { navigate } from "../../sdk/doors";
import { forget } from "../../sdk/hot";
import { useViewer } from "../../sdk/registry";
import { viewerChanged } from "../../sdk/stream";
import { language, LANGUAGES, setLanguage, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { useHost } from "./hostContext";

/** Light or dark, and who is logged in. */
export function Account() {
  const t = useT();
  const host = useHost();
  const viewer = useViewer();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  const leave = async () => {
    await host.logout?.();
    forget();
    await viewerChanged();
    navigate("/");
  };
  const label = other === "dark" ? t("Dark colours") : t("Light colours");
  return (
    <Group gap={6} wrap="nowrap">
      <Tooltip label={label}>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(other)}>
          <Icon name={other === "dark" ? "MoonIcon" : "SunIcon"} size={18} />
        </ActionIcon>
      </Tooltip>
      <Menu position="bottom-end" width={220} withinPortal>
        <Menu.Target>
          {viewer.role === "guest" ? (
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("Language")}><Icon name="LanguageIcon" size={18} /></ActionIcon>
          ) : (
            <UnstyledButton aria-label={t("Account")} style={{ borderRadius: 20 }}>
              <Avatar size={32} radius="xl" color="brand" name={viewer.name} />
            </UnstyledButton>
          )}
        </Menu.Target>
        <Menu.Dropdown>
          {viewer.role === "guest" ? null : <Menu.Label><Text size="sm" fw={600} truncate>{viewer.name}</Text>{viewer.role === "admin" ? t("Administrator") : null}</Menu.Label>}
          <Menu.Label>{t("Language")}</Menu.Label>
          {Object.entries(LANGUAGES).map(([tag, name]) => (
            <Menu.Item key={tag} onClick={() => setLanguage(tag)} rightSection={tag === language() ? <Icon name="CheckIcon" size={14} /> : null}>{name}</Menu.Item>
          ))}
          {viewer.role !== "guest" && host.logout ? <><Menu.Divider /><Menu.Item onClick={() => void leave()}>{t("Log out")}</Menu.Item></> : null}
        </Menu.Dropdown>
      </Menu>
      {viewer.role === "guest" ? <Button component={Link} to="/login" size="xs" variant="default">{t("Log in")}</Button> : null}
    </Group>
  );
}
