import { useT } from "../../sdk/words";
import { PageHeader } from "../../ui/pieces";
import { OperationsTable } from "./OperationsTable";

export default function Operations() {
  const t = useT();
  return <><PageHeader title={t("Operations")} about={t("Every change, whoever asked for it: the console, the command line, or a renamed folder.")} /><OperationsTable /></>;
}
