/** A quiet drawing of a visit: the doctor large, oneself small, words beside. */
export function HeroPicture() {
  return (
    <svg className="hero-picture" viewBox="0 0 480 340" aria-hidden="true">
      <rect x="8" y="20" width="464" height="300" rx="28" fill="var(--accent-soft)" />
      <rect x="44" y="52" width="392" height="236" rx="20" fill="var(--surface)" stroke="var(--line)" />
      <rect x="60" y="68" width="272" height="204" rx="14" fill="#cfe3dc" />
      <path d="M104 272c4-56 40-82 92-82s88 26 92 82Z" fill="#fdfaf5" />
      <path d="M172 196l24 34 24-34" fill="none" stroke="#0e6b60" strokeWidth="5" strokeLinecap="round" strokeLinejoin="round" />
      <path d="M178 168h36v30a18 18 0 0 1-36 0Z" fill="#a8673f" />
      <circle cx="196" cy="138" r="42" fill="#b9754a" />
      <path d="M153 136c-4-34 16-58 45-58s48 22 41 60c-6-20-16-30-30-34-14 12-38 12-56 32Z" fill="#33241c" />
      <path d="M182 152c8 9 20 9 28 0" fill="none" stroke="#5b3018" strokeWidth="4" strokeLinecap="round" />
      <rect x="348" y="68" width="72" height="84" rx="12" fill="#f6e2cf" />
      <path d="M358 152c2-22 12-32 26-32s24 10 26 32Z" fill="#c98a4b" />
      <circle cx="384" cy="102" r="15" fill="#e2b38c" />
      <path d="M369 101c-2-14 6-21 15-21s17 7 15 21c-4-8-10-10-15-10s-11 2-15 10Z" fill="#5a3b22" />
      <rect x="348" y="164" width="72" height="22" rx="11" fill="var(--surface-3)" />
      <rect x="348" y="194" width="56" height="22" rx="11" fill="var(--accent-soft)" />
      <rect x="348" y="224" width="64" height="22" rx="11" fill="var(--surface-3)" />
      <g>
        <circle cx="168" cy="250" r="14" fill="#fff" opacity=".94" />
        <circle cx="204" cy="250" r="14" fill="#fff" opacity=".94" />
        <circle cx="240" cy="250" r="14" fill="#c23a2e" />
        <path d="M168 244v8M204 244v8" stroke="#1f2a28" strokeWidth="5" strokeLinecap="round" />
        <path d="M234 252c4-4 8-4 12 0" fill="none" stroke="#fff" strokeWidth="4" strokeLinecap="round" />
      </g>
    </svg>
  );
}
