import Table from "cli-table3";

const none = {
    ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
    ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
    ...{ left: "", "left-mid": "", mid: "", "mid-mid": "", right: "", "right-mid": "", middle: "  " },
};

/** Rows under a header as kubectl prints them: columns two spaces apart, without lines. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
    const table = new Table({
        chars: none,
        style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    });
    table.push([...header], ...rows.map((row) => [...row]));
    return table
        .toString()
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n");
}
