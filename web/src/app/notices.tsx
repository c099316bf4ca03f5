import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { api } from "../api/client";
import { http } from "../api/http";
import type { Id, Notice } from "../api/types";
import { useToast } from "../design";
import { Notifications } from "../live/notifications";
import { useSession } from "../session";

type Notices = { notices: Notice[]; unread: number; read: (id: Id) => Promise<void> };
const Context = createContext<Notices>({ notices: [], unread: 0, read: async () => undefined });

/** Keeps the signed-in person's newest notices, live. */
export function NoticeProvider({ children }: { children: ReactNode }) {
  const { user } = useSession();
  const say = useToast();
  const [notices, setNotices] = useState<Notice[]>([]);
  const tell = useRef(say);
  tell.current = say;
  const id = user?.id;

  useEffect(() => {
    if (!id) return;
    let over = false;
    const fetchAll = () =>
      api.notices({ limit: 50 }).then(
        (page) => !over && setNotices(page.items),
        () => undefined, // The page of notices says what is wrong; the bell stays quiet.
      );
    const live = new Notifications(
      { accessToken: () => http.accessToken() },
      (notice) => {
        setNotices((all) => [notice, ...all.filter((each) => each.id !== notice.id)]);
        tell.current(notice.title);
      },
      // Whatever came while the line was down is fetched when it is up again.
      () => void fetchAll(),
    );
    const stop = http.onSession((signedIn) => signedIn && live.renew(signedIn.access_token));
    void fetchAll();
    return () => {
      over = true;
      stop();
      live.close();
      setNotices([]);
    };
  }, [id]);

  const read = useCallback(async (notice: Id) => {
    setNotices((all) => all.map((each) => (each.id === notice && !each.read_at ? { ...each, read_at: new Date().toISOString() } : each)));
    await api.readNotice(notice);
  }, []);
  const unread = notices.filter((notice) => notice.read_at === null).length;
  const value = useMemo(() => ({ notices, unread, read }), [notices, unread, read]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useNotices(): Notices {
  return useContext(Context);
}
