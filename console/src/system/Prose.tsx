import { Code } from "@mantine/core";
import { coded } from "./labels";

/** A text in which backticks mark what is to be typed letter by letter. */
export function Prose({ text }: { text: string }) {
  return coded(text).map((part, index) => (index % 2 ? <Code key={index}>{part}</Code> : part));
}
