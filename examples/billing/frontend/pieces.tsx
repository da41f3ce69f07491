import { api, useApi, useT } from "@hotbay/sdk";
import { Badge, Empty, Failure, Group, Money, Pagination, Skeleton, Table } from "@hotbay/ui";
import { type ReactNode, useEffect, useState } from "react";
import type { Invoice, Page } from "./types";

const COLORS: Record<string, string> = { paid: "teal", active: "teal", open: "brand", pending: "yellow", overdue: "red", cancelled: "gray", void: "gray" };

export function Status({ of }: { of: string }) {
  const t = useT();
  return <Badge variant="light" color={COLORS[of] ?? "gray"}>{t(of)}</Badge>;
}

export interface Column<T> {
  name: string;
  right?: boolean;
  cell: (row: T) => ReactNode;
}

interface ListProps<T> {
  path: string;
  query?: Record<string, string | number>;
  columns: Column<T>[];
  /** Another number: ask anew. */
  turn?: number;
  perPage?: number;
  /** Only the first rows, without a frame. */
  bare?: boolean;
}

const PER_PAGE = 20;

/** A list of the API as a table with pages. */
export function List<T extends { id: number }>({ path, query = {}, columns, turn = 0, perPage = PER_PAGE, bare = false }: ListProps<T>) {
  const t = useT();
  const [page, setPage] = useState(1);
  const { data, error, reload } = useApi<Page<T>>(path, { ...query, page, per_page: perPage, turn });
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={320} radius={12} />;
  if (!data.total) return <Empty title={t("Nothing here yet")} />;
  const pages = Math.ceil(data.total / perPage);
  return (
    <>
      <div className={bare ? "billing-bare" : "hb-table"}>
        <Table highlightOnHover>
          <Table.Thead><Table.Tr>{columns.map((one) => <Table.Th key={one.name} ta={one.right ? "right" : undefined}>{t(one.name)}</Table.Th>)}</Table.Tr></Table.Thead>
          <Table.Tbody>
            {data.items.map((row) => <Table.Tr key={row.id}>{columns.map((one) => <Table.Td key={one.name} ta={one.right ? "right" : undefined}>{one.cell(row)}</Table.Td>)}</Table.Tr>)}
          </Table.Tbody>
        </Table>
      </div>
      {pages > 1 && !bare ? <Group justify="flex-end" mt="md"><Pagination total={pages} value={page} onChange={setPage} size="sm" getControlProps={(control) => ({ "aria-label": t(control) })} /></Group> : null}
    </>
  );
}

/** The invoices that the viewer may see; with `customer`, of that one. */
export function Invoices({ customer }: { customer?: number }) {
  return (
    <List<Invoice> path="/invoices" query={customer ? { customer_id: customer } : {}} columns={[
      { name: "Number", cell: (row) => row.number },
      { name: "Due", cell: (row) => row.due_on },
      { name: "Status", cell: (row) => <Status of={row.status} /> },
      { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
    ]} />
  );
}

type Names = Map<number, string>;

async function allNames(path: string): Promise<Names> {
  const names: Names = new Map();
  for (let page = 1; ; page += 1) {
    const found = await api.get<Page<{ id: number; name: string }>>(path, { query: { page, per_page: 200 } });
    for (const { id, name } of found.items) names.set(id, name);
    if (names.size >= found.total || !found.items.length) return names;
  }
}

/** The names behind the ids of a list. */
export function useNames(path: string): (id: number) => string {
  const [names, setNames] = useState<Names>(new Map());
  useEffect(() => void allNames(path).then(setNames, () => undefined), [path]);
  return (id) => names.get(id) ?? `#${id}`;
}
