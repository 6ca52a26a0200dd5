/** Changes of a pull request in the manifests of an Application. */
export interface Difference {
    /** Name of the Application. */
    readonly name: string;
    /** A unified diff, empty when nothing changes; or the error. */
    readonly result: { readonly diff: string } | { readonly failure: string };
}

/** Changes of a pull request for `pulumi up`; or the error. */
export type ProgramChange =
    | {
          /** Number of resources for each operation. */
          readonly created: number;
          readonly updated: number;
          readonly deleted: number;
          /** Unified diffs of their inputs, each under the resource's type and name. */
          readonly diff: string;
      }
    | { readonly failure: string };

/** The first line of the comment, which identifies it. Not shown. */
export const marker = "<!-- hearth: preview -->";

/** The first line of the section that a rehearsal adds to the comment. Not shown. */
export const rehearsalMarker = "<!-- hearth: rehearsal -->";

/** Maximum length of each part of the comment in characters: every database that Gitea supports can hold their sum. */
const commentLimit = 50_000;
export const rehearsalLimit = 10_000;

/** A code block whose text cannot close it. */
export function fenced(language: string, text: string): string {
    const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
    const fence = "`".repeat(longest + 1);
    return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}

/** The first lines of a string that fit, and the number of lines left out. */
export function shortened(text: string, limit: number): string {
    if (text.length <= limit) {
        return text;
    }
    const kept = text.slice(0, limit).split("\n").slice(0, -1);
    return [...kept, `… ${text.trimEnd().split("\n").length - kept.length} more lines`].join("\n");
}

function details(title: string, summary: string, diff: string, limit: number): string {
    return `<details><summary><b>${title}</b>: ${summary}</summary>\n\n${fenced("diff", shortened(diff, limit))}\n\n</details>`;
}

function chartSection({ name, result }: Difference, limit: number): string {
    if ("failure" in result) {
        return `**${name}** does not render:\n\n${fenced("", shortened(result.failure, limit))}`;
    }
    const lines = result.diff.split("\n");
    const count = (sign: string) => lines.filter((line) => line.startsWith(sign)).length;
    return details(name, `+${count("+")} −${count("-")} lines`, result.diff, limit);
}

function programSection(change: ProgramChange, limit: number): string {
    if ("failure" in change) {
        return `**pulumi up** would fail:\n\n${fenced("", shortened(change.failure, limit))}`;
    }
    const { created, updated, deleted, diff } = change;
    return details("pulumi up", `${created} created, ${updated} updated, ${deleted} deleted`, diff, limit);
}

/**
 * The comment about a pull request, in Markdown.
 *
 * @param touched changes in each Application that the request touches
 * @param program changes for `pulumi up`
 * @param commit the previewed commit
 * @param limit maximum length in characters
 */
export function previewComment(
    touched: readonly Difference[],
    program: ProgramChange,
    commit: string,
    limit = commentLimit,
): string {
    const shown = touched.filter(({ result }) => !("diff" in result) || result.diff !== "");
    const unchanged = touched.filter((each) => !shown.includes(each)).map(({ name }) => name);
    const programShown = "failure" in program || program.diff !== "";
    const sentences = [
        ...(shown.length > 0 ? [`Changes the manifests of ${shown.map(({ name }) => name).join(", ")}.`] : []),
        ...(unchanged.length > 0 ? [`Touches ${unchanged.join(", ")}, whose manifests do not change.`] : []),
        ...(touched.length === 0 ? ["Touches no chart: Argo CD would not change anything."] : []),
        ...(programShown ? [] : ["`pulumi up` does not change."]),
    ];
    const head = [marker, `### Preview of ${commit.slice(0, 10)}`, sentences.join(" ")];
    const sections = [
        ...(programShown ? [(size: number) => programSection(program, size)] : []),
        ...shown.map((difference) => (size: number) => chartSection(difference, size)),
    ];
    // Around each text: its fences, its summary and the line with the number of lines left out.
    const around = 200;
    const each = Math.floor((limit - head.join("\n\n").length) / Math.max(1, sections.length)) - around;
    return [...head, ...sections.map((section) => section(Math.max(0, each)))].join("\n\n");
}
