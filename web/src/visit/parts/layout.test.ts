import { describe, expect, it } from "vitest";
import { arrange, columnsFor, nextSpeaker, SPEAKER_STAYS_MS, type Place, type Wishes } from "./layout";

const PEOPLE = ["awa", "moussa", "signer"];
const GRID: Wishes = { view: "grid", pinned: new Set(), speaker: null };
const keys = (places: Place[]) => places.map(({ key }) => key);

describe("arrange", () => {
  it("shows everybody alike in the grid", () => {
    const { large, strip } = arrange(PEOPLE, [], { ...GRID, speaker: "moussa" });
    expect(keys(large)).toEqual(PEOPLE);
    expect(strip).toEqual([]);
  });

  it("features who speaks, and somebody even in silence", () => {
    const spoken = arrange(PEOPLE, [], { ...GRID, view: "speaker", speaker: "moussa" });
    expect(keys(spoken.large)).toEqual(["moussa"]);
    expect(keys(spoken.strip)).toEqual(["awa", "signer"]);
    expect(keys(arrange(PEOPLE, [], { ...GRID, view: "speaker" }).large)).toEqual(["awa"]);
  });

  it("keeps a pinned interpreter large beside the speaker", () => {
    const pinned = new Set(["signer"]);
    const { large, strip } = arrange(PEOPLE, [], { view: "speaker", pinned, speaker: "moussa" });
    expect(keys(large)).toEqual(["moussa", "signer"]);
    expect(keys(strip)).toEqual(["awa"]);
  });

  it("does not show a pinned person twice who speaks", () => {
    const pinned = new Set(["signer"]);
    const { large } = arrange(PEOPLE, [], { view: "speaker", pinned, speaker: "signer" });
    expect(keys(large)).toEqual(["signer"]);
  });

  it("shows a shared screen above all, with what is pinned", () => {
    const { large, strip } = arrange(PEOPLE, ["awa"], { ...GRID, pinned: new Set(["signer"]) });
    expect(keys(large)).toEqual(["awa.screen", "signer"]);
    expect(keys(strip)).toEqual(["awa", "moussa"]);
  });

  it("passes over a pin of somebody who went", () => {
    const { large, strip } = arrange(["awa"], [], { ...GRID, pinned: new Set(["signer"]) });
    expect(keys(large)).toEqual(["awa"]);
    expect(strip).toEqual([]);
  });
});

describe("columnsFor", () => {
  it("stacks two on a phone and sets them side by side on a desk", () => {
    expect(columnsFor(2, 360, 600)).toBe(1);
    expect(columnsFor(2, 1200, 600)).toBe(2);
  });

  it("fits twelve", () => {
    expect(columnsFor(12, 360, 560)).toBe(2);
    expect(columnsFor(12, 1280, 640)).toBe(4);
  });

  it("needs one column for one, and for an unknown room", () => {
    expect(columnsFor(1, 1280, 640)).toBe(1);
    expect(columnsFor(5, 0, 0)).toBe(1);
  });
});

describe("nextSpeaker", () => {
  const moussa = { id: "moussa", since: 1_000 };

  it("stays with somebody for a moment, then follows", () => {
    expect(nextSpeaker(moussa, ["awa"], PEOPLE, 1_000 + SPEAKER_STAYS_MS - 1)).toBe(moussa);
    expect(nextSpeaker(moussa, ["awa"], PEOPLE, 1_000 + SPEAKER_STAYS_MS).id).toBe("awa");
  });

  it("stays through silence", () => {
    expect(nextSpeaker(moussa, [], PEOPLE, 99_000)).toBe(moussa);
  });

  it("lets go of somebody who left at once", () => {
    expect(nextSpeaker(moussa, ["awa"], ["awa"], 1_001).id).toBe("awa");
    expect(nextSpeaker(moussa, [], ["awa"], 1_001).id).toBeNull();
  });

  it("passes over oneself, whom the server names too", () => {
    expect(nextSpeaker(moussa, ["me", "awa"], PEOPLE, 9_000).id).toBe("awa");
  });
});
