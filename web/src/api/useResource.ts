import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./http";

export type Resource<T> = {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  /** Fetches again; what is shown stays until the answer is here. */
  reload: () => Promise<void>;
  setData: (data: T) => void;
};

/** Loads something and keeps its empty, loading and error state. `key` null loads nothing; a new key starts over. */
export function useResource<T>(key: string | null, load: () => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: ApiError; loading: boolean }>({ key: null, loading: key !== null });
  const newest = useRef(0);
  const loader = useRef(load);
  loader.current = load;

  const reload = useCallback(async () => {
    if (key === null) return;
    const turn = ++newest.current;
    setState((was) => (was.key === key ? { ...was, loading: true } : { key, loading: true }));
    try {
      const data = await loader.current();
      if (turn === newest.current) setState({ key, data, loading: false });
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : new ApiError(500, { code: "internal", detail: String(cause) });
      if (turn === newest.current) setState((was) => ({ ...was, error, loading: false }));
    }
  }, [key]);

  useEffect(() => {
    void reload();
    return () => {
      newest.current++;
    };
  }, [reload]);

  const setData = useCallback((data: T) => setState({ key, data, loading: false }), [key]);
  const current = state.key === key;
  return {
    data: current ? state.data : undefined,
    error: current ? state.error : undefined,
    loading: current ? state.loading : key !== null,
    reload,
    setData,
  };
}
