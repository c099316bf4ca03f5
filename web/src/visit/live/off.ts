/** What a person has switched off in a visit: a reload must not switch it on again. */
export interface Off {
  muted: boolean;
  cameraOff: boolean;
}

const keyOf = (appointmentId: string): string => `bedside.off.${appointmentId}`;

export function rememberOff(appointmentId: string, { muted, cameraOff }: Off): void {
  window.sessionStorage.setItem(keyOf(appointmentId), JSON.stringify({ muted, cameraOff }));
}

export function rememberedOff(appointmentId: string): Off {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(keyOf(appointmentId)) ?? "{}") as Partial<Off>;
    return { muted: kept.muted === true, cameraOff: kept.cameraOff === true };
  } catch {
    return { muted: false, cameraOff: false };
  }
}
