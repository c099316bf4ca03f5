import { api } from "../api/client";
import type { FileAccess } from "./parts/Chat";

/** How long a file's temporary address is kept for the browser to start saving it. */
const KEEP_ADDRESS_MS = 60_000;

/** Files of a visit's chat: uploaded before the message that names them, opened on a press. */
export function visitFiles(visitId: string): FileAccess {
  return {
    upload: (file) => api.upload(visitId, file),
    load: (fileId) => api.file(visitId, fileId),
    open: (fileId, name) => {
      void api
        .file(visitId, fileId)
        .then((blob) => {
          const address = URL.createObjectURL(blob);
          const link = document.createElement("a");
          link.href = address;
          link.download = name;
          link.click();
          window.setTimeout(() => URL.revokeObjectURL(address), KEEP_ADDRESS_MS);
        })
        .catch(() => undefined);
    },
  };
}
