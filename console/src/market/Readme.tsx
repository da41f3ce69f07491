import { Fragment, type ReactNode } from "react";

/** `code`, **bold**, *slanted* and links to https; everything else is text. */
function inline(text: string): ReactNode[] {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\(https?:\/\/[^)\s]+\))/);
  return parts.map((part, index) => {
    const link = /^\[([^\]]+)\]\((https?:[^)]+)\)$/.exec(part);
    if (link) return <a key={index} href={link[2]} target="_blank" rel="noreferrer noopener">{link[1]}</a>;
    if (/^`.+`$/.test(part)) return <code key={index}>{part.slice(1, -1)}</code>;
    if (/^\*\*.+\*\*$/.test(part)) return <strong key={index}>{part.slice(2, -2)}</strong>;
    if (/^\*.+\*$/.test(part)) return <em key={index}>{part.slice(1, -1)}</em>;
    return <Fragment key={index}>{part}</Fragment>;
  });
}

function heading(line: string, key: number): ReactNode {
  const depth = Math.min(3, /^#+/.exec(line)?.[0].length ?? 1);
  const words = inline(line.replace(/^#+\s*/, ""));
  return depth === 1 ? <h3 key={key}>{words}</h3> : depth === 2 ? <h4 key={key}>{words}</h4> : <h5 key={key}>{words}</h5>;
}

function MarkdownTable({ lines }: { lines: string[] }) {
  const rows = lines.filter((line) => !/^[|\s:-]+$/.test(line)).map((line) => line.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim()));
  return <table><tbody>{rows.map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at}>{inline(cell)}</td>)}</tr>)}</tbody></table>;
}

function block(text: string, key: number): ReactNode {
  const lines = text.split("\n");
  if (/^#{1,6}\s/.test(text)) return <Fragment key={key}>{heading(lines[0] ?? "", key)}{lines.length > 1 ? block(lines.slice(1).join("\n"), key + 1000) : null}</Fragment>;
  if (lines.every((line) => /^(\s*[-*]\s|\s+)/.test(line))) {
    const items = text.split(/\n(?=\s*[-*]\s)/).map((item) => item.replace(/^\s*[-*]\s+/, "").replace(/\n\s*/g, " "));
    return <ul key={key}>{items.map((item, index) => <li key={index}>{inline(item)}</li>)}</ul>;
  }
  if (lines.every((line) => line.startsWith("|"))) {
    return <MarkdownTable key={key} lines={lines} />;
  }
  return <p key={key}>{inline(text.replace(/\n/g, " "))}</p>;
}

/** A README as a person reads it: headings, lists, code. It is a stranger's text, so nothing of it becomes HTML. */
export function Readme({ text }: { text: string }) {
  const parts = text.split(/^```[^\n]*\n([\s\S]*?)^```$/m);
  return (
    <div className="hb-readme">
      {parts.map((part, index) =>
        index % 2 ? <pre key={index}><code>{part}</code></pre> : part.split(/\n{2,}/).map((one) => one.replace(/^\n+|\n+$/g, "")).filter(Boolean).map((one, at) => block(one, index * 10_000 + at)))}
    </div>
  );
}
