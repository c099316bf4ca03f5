/** Medicines offered while typing, with their ATC codes. Any other may be written out. */
export const MEDICATIONS: readonly { code: string; display: string }[] = [
  { code: "J01CA04", display: "Amoxicillin 500 mg" },
  { code: "J01CR02", display: "Amoxicillin and clavulanic acid 875/125 mg" },
  { code: "C08CA01", display: "Amlodipine 5 mg" },
  { code: "P01BF01", display: "Artemether and lumefantrine 20/120 mg" },
  { code: "J01FA10", display: "Azithromycin 500 mg" },
  { code: "R06AE07", display: "Cetirizine 10 mg" },
  { code: "J01MA02", display: "Ciprofloxacin 500 mg" },
  { code: "M01AE01", display: "Ibuprofen 400 mg" },
  { code: "C09AA03", display: "Lisinopril 10 mg" },
  { code: "R06AX13", display: "Loratadine 10 mg" },
  { code: "A10BA02", display: "Metformin 500 mg" },
  { code: "A02BC01", display: "Omeprazole 20 mg" },
  { code: "A07CA", display: "Oral rehydration salts" },
  { code: "N02BE01", display: "Paracetamol 500 mg" },
  { code: "R03AC02", display: "Salbutamol inhaler 100 µg" },
];

/** The coded medicine behind what was written, or the words alone under the code for free text. */
export function medicationOf(written: string): { code: string; display: string } {
  const words = written.trim();
  const known = MEDICATIONS.find(({ display }) => display.toLowerCase() === words.toLowerCase());
  return known ?? { code: "text", display: words };
}
