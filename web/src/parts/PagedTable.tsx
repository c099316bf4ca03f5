import type { ReactNode } from "react";
import type { Page } from "../api/types";
import type { Resource } from "../api/useResource";
import { ActionButton, Card, Loaded, Table, type Column } from "../design";
import { useText } from "../i18n";

/** A list that comes page by page, as a table; `empty` stands in for one without rows. */
export function PagedTable<T extends { id: string }>({ of, more, caption, columns, empty }: {
  of: Resource<Page<T>>; more: (cursor: string) => Promise<Page<T>>; caption: string; columns: Column<T>[]; empty: ReactNode;
}) {
  const t = useText();
  return (
    <Loaded of={of}>
      {(page) => (
        <div className="stack">
          <Card flush>{page.items.length === 0 ? empty : <Table<T> caption={caption} rows={page.items} rowKey={(row) => row.id} columns={columns} />}</Card>
          {page.next_cursor ? (
            <ActionButton
              act={async () => {
                const next = await more(page.next_cursor ?? "");
                of.setData({ items: [...page.items, ...next.items], next_cursor: next.next_cursor });
              }}
            >
              {t("common.more")}
            </ActionButton>
          ) : null}
        </div>
      )}
    </Loaded>
  );
}
