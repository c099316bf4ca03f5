import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { ActionButton } from "../design";
import { leaveFor } from "./providers";
import { useAccountText } from "./text";

/** A button for each provider that the operator has set up; nothing where there is none. */
export function ProviderButtons({ onFailed }: { onFailed: (error: unknown) => void }) {
  const t = useAccountText();
  const providers = useResource("providers", api.signInProviders);
  return (
    <>
      {providers.data?.items.map((each) => (
        <ActionButton key={each.id} wide icon="globe" act={async () => leaveFor((await api.beginProvider(each.id)).url, false)} onFailed={onFailed}>
          {t("signIn.with", { name: each.name })}
        </ActionButton>
      ))}
    </>
  );
}
