import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { api } from "../api/client";
import { http } from "../api/http";
import type { Role, SignedIn, User } from "../api/types";

type Session = {
  status: "loading" | "anonymous" | "signed-in";
  user: User | null;
  signIn: (input: { email: string; password: string; code?: string }) => Promise<User>;
  /** Takes over what another way of signing in, or a fresh proof, answered. */
  accept: (signedIn: SignedIn) => User;
  signOut: () => Promise<void>;
  setUser: (user: User) => void;
  is: (...roles: Role[]) => boolean;
};

const Context = createContext<Session | null>(null);
const hint = "bedside.session";

/** Whether it is worth asking for a session: spares strangers a refused call on every page. */
function mayHaveSession(): boolean {
  try {
    return localStorage.getItem(hint) === "1";
  } catch {
    return true;
  }
}

function remember(signedIn: boolean): void {
  try {
    if (signedIn) localStorage.setItem(hint, "1");
    else localStorage.removeItem(hint);
  } catch {
    // Without storage the session is simply asked for each time.
  }
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const [user, setUser] = useState<User | null>(null);
  const [loading, setLoading] = useState(mayHaveSession);

  useEffect(() => {
    const stop = http.onSession((signedIn) => {
      remember(signedIn !== null);
      setUser(signedIn?.user ?? null);
    });
    if (mayHaveSession()) {
      http
        .refresh()
        .catch(() => undefined)
        .finally(() => setLoading(false));
    }
    return stop;
  }, []);

  const signIn = useCallback(async (input: { email: string; password: string; code?: string }) => http.accept(await api.login(input)), []);
  const signOut = useCallback(async () => {
    try {
      await api.logout();
    } finally {
      http.forget();
    }
  }, []);

  const value = useMemo<Session>(
    () => ({
      status: loading ? "loading" : user ? "signed-in" : "anonymous",
      user,
      signIn,
      accept: (signedIn) => http.accept(signedIn),
      signOut,
      setUser,
      is: (...roles) => user !== null && roles.includes(user.role),
    }),
    [loading, user, signIn, signOut],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("useSession outside SessionProvider");
  return session;
}
