import type { Line, Span } from "./screen";

/** Pixels of one character, and around all of them. */
const cell = { width: 8, height: 18 };
const margin = 16;

/** A terminal's first 16 colors on the dark ground, as readable ones. */
const palette = [
    ...["#8b949e", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#e6edf3"],
    ...["#8b949e", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff"],
];

const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A span in pieces without gaps: renderers may collapse several spaces into one. */
function wordsOf(span: Span): Span[] {
    return [...span.text.matchAll(/\S+(?: \S+)*/g)].map(({ 0: text, index }) => ({
        ...span,
        text,
        column: span.column + index,
    }));
}

/**
 * A picture of a terminal, as SVG.
 *
 * @param title text for screen readers
 * @param columns width of the terminal
 */
export function drawScreen(lines: readonly Line[], title: string, columns: number): string {
    const width = columns * cell.width + 2 * margin;
    const height = lines.length * cell.height + 2 * margin;
    const texts = lines.flatMap((line, row) =>
        line.flatMap(wordsOf).map(({ text, column, color, bold }) => {
            const place = `x="${margin + column * cell.width}" y="${margin + row * cell.height + 13}"`;
            const style = `${color === undefined ? "" : ` fill="${palette[color]}"`}${bold ? ' font-weight="bold"' : ""}`;
            // The reader's font may be wider or narrower than ours: each piece gets its width in a terminal.
            return `<text ${place} textLength="${text.length * cell.width}"${style}>${escaped(text)}</text>`;
        }),
    );
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">`,
        `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
        '<g font-family="ui-monospace, monospace" font-size="13" fill="#e6edf3">',
        ...texts,
        "</g>",
        "</svg>",
        "",
    ].join("\n");
}
