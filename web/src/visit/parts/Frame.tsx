import type { ReactNode } from "react";
import { Link } from "wouter";

/** The window around a visit: the name of the place, a way out, and one room. */
export function Frame({ home, out, children }: { home: string | null; out?: string; children: ReactNode }) {
  return (
    <div className="v-frame">
      <header className="v-frame-top">
        {home ? (
          <Link href={home}>
            <Brand />
          </Link>
        ) : (
          <span className="v-brand">
            <Brand />
          </span>
        )}
        {home && out && <Link href={home}>{out}</Link>}
      </header>
      <main className="v-frame-room">{children}</main>
    </div>
  );
}

function Brand() {
  return (
    <>
      <img src="/icon.svg" alt="" width="28" height="28" />
      Bedside
    </>
  );
}
