import { useId } from "react";
import { useText } from "../i18n";

export type Series = { label: string; tone: "accent" | "good" | "attention"; values: number[]; kind: "bar" | "line" };

const HEIGHT = 220;
const EDGE = { left: 48, right: 8, top: 12, bottom: 28 };

/** A round number at or above the greatest value, for the top of the scale. */
export function niceTop(greatest: number): number {
  if (greatest <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(greatest));
  return ([1, 2, 2.5, 5, 10].find((step) => step * unit >= greatest) ?? 10) * unit;
}

/** Values by day as an SVG, with a table of the same numbers for whoever prefers to read. */
export function Plot({ title, labels, series, format, scale = format, narrow }: {
  title: string; labels: string[]; series: Series[]; format: (value: number) => string;
  /** For the scale at the side, where there is room for few letters. */
  scale?: (value: number) => string;
  /** Half as wide, with letters of the same size. */
  narrow?: boolean;
}) {
  const t = useText();
  const id = useId();
  const fullWidth = narrow ? 420 : 860;
  const greatest = Math.max(0, ...series.flatMap((each) => each.values));
  const top = greatest > 1 || series.some((each) => each.kind === "line") ? niceTop(greatest) : 1;
  const inner = { width: fullWidth - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const step = inner.width / Math.max(1, labels.length);
  const x = (index: number) => EDGE.left + step * (index + 0.5);
  const y = (value: number) => EDGE.top + inner.height * (1 - value / top);
  const bars = series.filter((each) => each.kind === "bar");
  const wide = Math.min(28, (step * 0.7) / Math.max(1, bars.length));
  const every = Math.max(1, Math.ceil(labels.length / (narrow ? 5 : 9)));
  return (
    <figure className="plot">
      <figcaption className="row-apart">
        <h3 id={id}>{title}</h3>
        <span className="row plot-key" aria-hidden="true">
          {series.length > 1
            ? series.map((each) => (
                <span key={each.label} className="row-tight small">
                  <i className={`plot-dot plot-${each.tone}`} />
                  {each.label}
                </span>
              ))
            : null}
        </span>
      </figcaption>
      <svg viewBox={`0 0 ${fullWidth} ${HEIGHT}`} role="img" aria-labelledby={id} aria-describedby={`${id}-table`}>
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line x1={EDGE.left} x2={fullWidth - EDGE.right} y1={y(top * part)} y2={y(top * part)} className="plot-grid" />
            <text x={EDGE.left - 8} y={y(top * part) + 4} textAnchor="end" className="plot-text">
              {scale(top * part)}
            </text>
          </g>
        ))}
        {labels.map((label, index) =>
          index % every === 0 ? (
            <text key={label} x={x(index)} y={HEIGHT - 8} textAnchor="middle" className="plot-text">
              {label}
            </text>
          ) : null,
        )}
        {bars.map((each, order) =>
          each.values.map((value, index) =>
            value > 0 ? (
              <rect
                key={`${each.label} ${index}`}
                x={x(index) - (wide * bars.length) / 2 + wide * order}
                y={y(value)}
                width={Math.max(1, wide - 1)}
                height={y(0) - y(value)}
                rx={Math.min(3, wide / 3)}
                className={`plot-bar plot-${each.tone}`}
              >
                <title>{`${labels[index] ?? ""}, ${each.label}: ${format(value)}`}</title>
              </rect>
            ) : null,
          ),
        )}
        {series
          .filter((each) => each.kind === "line")
          .map((each) => (
            <polyline key={each.label} points={each.values.map((value, index) => `${x(index)},${y(value)}`).join(" ")} className={`plot-line plot-${each.tone}`} />
          ))}
      </svg>
      <details id={`${id}-table`}>
        <summary className="small muted">{t("figures.table")}</summary>
        <table className="plot-table numeric small">
          <caption className="visually-hidden">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{t("figures.date")}</th>
              {series.map((each) => (
                <th key={each.label} scope="col">
                  {each.label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {labels.map((label, index) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                {series.map((each) => (
                  <td key={each.label}>{format(each.values[index] ?? 0)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
