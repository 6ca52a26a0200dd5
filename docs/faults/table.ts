import type { Results } from "../../test/faults/results";

/** The tests' files, in the order of the page, with their headings. */
const subjects: Readonly<Record<string, string>> = {
    killed: "Killed runs",
    bootstrap: "Killed or hanging programs in a first run",
    processes: "Killed or hanging programs later",
    disks: "Disks",
    network: "Network",
    clock: "Clock",
    "by-hand": "Manual changes",
    applications: "Applications and their cluster",
    state: "State",
    upgrades: "Upgrades",
    disaster: "Disaster",
};

/** Alignment of a column of a table in Markdown. */
const cell = (text: string) => text.replaceAll("|", "\\|");

/**
 * Results of all faults, as tables in Markdown.
 *
 * @throws Error when a test's file has no heading
 */
export function faultTables({ results }: Pick<Results, "results">): string {
    const unnamed = results.find(({ subject }) => !(subject in subjects));
    if (unnamed) {
        throw new Error(`docs/faults/table.ts has no heading for test/faults/${unnamed.subject}.test.ts`);
    }
    return Object.entries(subjects)
        .map(([subject, heading]) => ({ heading, rows: results.filter((each) => each.subject === subject) }))
        .filter(({ rows }) => rows.length > 0)
        .map(({ heading, rows }) =>
            [
                `## ${heading}`,
                "",
                "| fault | when | expected result | seconds |",
                "|---|---|---|---|",
                ...rows.map(
                    ({ broken, when, holds, survived, seconds }) =>
                        `| ${[broken, when, holds].map(cell).join(" | ")} | ${survived ? seconds : "**did not hold**"} |`,
                ),
                "",
            ].join("\n"),
        )
        .join("\n");
}
