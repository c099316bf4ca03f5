import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from "react";
import { useText } from "../i18n";
import { Button } from "./Button";

type Toast = { id: number; text: string; action?: { label: string; act: () => void } };
type Say = (text: string, action?: Toast["action"]) => void;
const Context = createContext<Say>(() => undefined);

/** How long a toast stays; one with an undo stays longer (WCAG 2.2.1 wants time to reach it). */
const STAY_MS = 6_000;
const STAY_WITH_ACTION_MS = 20_000;

export function ToastProvider({ children }: { children: ReactNode }) {
  const t = useText();
  const [toasts, setToasts] = useState<Toast[]>([]);
  const last = useRef(0);
  const dismiss = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const say = useCallback<Say>(
    (text, action) => {
      const id = ++last.current;
      setToasts((all) => [...all.slice(-2), { id, text, action }]);
      window.setTimeout(() => dismiss(id), action ? STAY_WITH_ACTION_MS : STAY_MS);
    },
    [dismiss],
  );
  const value = useMemo(() => say, [say]);
  return (
    <Context.Provider value={value}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div className="toast" key={toast.id}>
            <span className="grow">{toast.text}</span>
            {toast.action ? (
              <Button
                variant="quiet"
                size="small"
                onPress={() => {
                  toast.action?.act();
                  dismiss(toast.id);
                }}
              >
                {toast.action.label}
              </Button>
            ) : null}
            <Button variant="quiet" icon="close" label={t("common.dismiss")} onPress={() => dismiss(toast.id)} />
          </div>
        ))}
      </div>
    </Context.Provider>
  );
}

/** `const say = useToast(); say("Saved.", {label: "Undo", act})`. */
export function useToast(): Say {
  return useContext(Context);
}
