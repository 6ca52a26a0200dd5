import { stripVTControlCharacters } from "node:util";
import { formatAnswer } from "../placement/format";
import { fenced, shortened } from "../preview/comment";
import type { Rehearsal } from "./comparison";

/** A titled list of lines; nothing without lines. */
interface Section {
    readonly title: string;
    readonly lines: readonly string[];
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** The sections of a rehearsal that have lines, failures first. */
function sections(rehearsal: Rehearsal): Section[] {
    const { tiers, late, refused, restarts, pruned, lostClaims, leftClaims, untried, home, program } = rehearsal;
    const all: Section[] = [
        { title: "`pulumi up` fails", lines: program?.split("\n") ?? [] },
        {
            title: "Not Synced and Healthy",
            lines: late.flatMap(({ name, tier, sync, health, reasons }) => [
                `${name} (tier ${tier}): ${sync}, ${health}`,
                ...reasons.map((reason) => `  ${reason}`),
            ]),
        },
        {
            title: "Refused by the API server",
            lines: refused.map(({ application, object, message }) => `${application}: ${object}: ${message}`),
        },
        {
            title: "Probes that never pass",
            lines: untried.flatMap(({ workload, neverPass }) => neverPass.map((each) => `${workload}: ${each}`)),
        },
        { title: "On the home's nodes", lines: home ? formatAnswer(home).split("\n") : [] },
        { title: "Lost claims, with their volumes", lines: lostClaims },
        { title: "Claims that no pod mounts anymore; their volumes stay", lines: leftClaims },
        { title: "Restarts", lines: restarts },
        { title: "Pruned", lines: pruned },
        {
            title: "Not tried: images and probes need a real kubelet",
            lines: untried.flatMap(({ workload, parts }) => parts.map((each) => `${workload}: ${each}`)),
        },
        {
            title: "Tiers",
            lines: tiers.map(({ tier, synced, seconds }) => {
                const ends = late.some((each) => each.tier === tier) ? "not ready" : "nothing to sync";
                const time = seconds === undefined ? ends : `${seconds} s`;
                return `${tier}: ${time}${synced > 0 ? `, ${count(synced, "Application")} synced` : ""}`;
            }),
        },
    ];
    return all.filter(({ lines }) => lines.length > 0);
}

function summary({ base, head, good, seconds }: Rehearsal): string {
    const result = good ? "every Application becomes Synced and Healthy" : "do not merge it as it is";
    return `Rehearsal of ${head.slice(0, 10)} over ${base.slice(0, 10)}: ${result} (pulumi up: ${Math.round(seconds)} s)`;
}

/** A rehearsal for a terminal. */
export function formatRehearsal(rehearsal: Rehearsal): string {
    const parts = sections(rehearsal).map(({ title, lines }) =>
        [title, ...lines.map((each) => `  ${each}`)].join("\n"),
    );
    return [summary(rehearsal), ...parts].join("\n\n");
}

/**
 * The section about a rehearsal in a pull request's comment, in Markdown.
 *
 * @param limit maximum length in characters
 */
export function rehearsalSection(rehearsal: Rehearsal, limit: number): string {
    // A job may have a terminal, and its colors.
    const [title, ...parts] = stripVTControlCharacters(formatRehearsal(rehearsal)).split("\n");
    return `### ${title}\n\n${fenced("", shortened(parts.join("\n").trim(), limit - (title ?? "").length - 100))}`;
}
