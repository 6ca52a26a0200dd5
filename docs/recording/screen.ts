import { type IBufferCell, Terminal } from "@xterm/headless";

/** Adjacent characters that look the same. */
export interface Span {
    readonly text: string;
    /** First column, from 0. */
    readonly column: number;
    /** One of the terminal's first 16 colors, or undefined for that of ordinary text. */
    readonly color: number | undefined;
    readonly bold: boolean;
}

/** A line of the screen, from left to right. */
export type Line = readonly Span[];

const styleOf = (cell: IBufferCell) => ({
    color: cell.isFgPalette() && cell.getFgColor() < 16 ? cell.getFgColor() : undefined,
    bold: cell.isBold() !== 0,
});

/**
 * Final screen of a terminal after a program's output, with cursor movements applied.
 *
 * @param output as it came, with its control sequences
 * @param columns width of the terminal
 * @param rows height; what has scrolled out is not shown
 */
export async function screenOf(output: string, columns: number, rows: number): Promise<Line[]> {
    const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true });
    await new Promise<void>((done) => terminal.write(output, done));
    const { active } = terminal.buffer;
    const lines = Array.from({ length: rows }, (_, row) => {
        const line = active.getLine(active.baseY + row);
        const spans: Span[] = [];
        for (let column = 0; column < columns; column += 1) {
            const cell = line?.getCell(column);
            const text = cell?.getChars() || " ";
            const { color, bold } = cell ? styleOf(cell) : { color: undefined, bold: false };
            const last = spans.at(-1);
            if (last && last.color === color && last.bold === bold) {
                spans[spans.length - 1] = { ...last, text: last.text + text };
            } else {
                spans.push({ text, column, color, bold });
            }
        }
        return spans.filter((span) => span.text.trim() !== "").map((span) => ({ ...span, text: span.text.trimEnd() }));
    });
    terminal.dispose();
    while (lines.at(-1)?.length === 0) {
        lines.pop();
    }
    return lines;
}
