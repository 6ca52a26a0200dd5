import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { type Application, readApplications } from "../components/applications";
import { Failure } from "../lib/failure";
import { exitCodes } from "./verb";

/** Names of the charts, for the shell's completion. */
export function chartNames(): string[] {
    return readdirSync("charts", { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== "common")
        .map(({ name }) => name);
}

/**
 * The Application of a chart, from the checkout.
 *
 * @param root the checkout
 * @param cluster name of a folder under clusters/
 * @throws Failure when there is none of this name, or when a manifest has mistakes
 */
export function findApplication(root: string, cluster: string, name: string): Application {
    const applications = readApplications(root, cluster);
    const found = applications.find((each) => each.name === name);
    if (found) {
        return found;
    }
    const names = applications.map((each) => each.name);
    const guess = closest(basename(name), names);
    throw new Failure(
        distance(guess, basename(name)) <= 2
            ? `unknown Application "${name}": did you mean "${guess}"?`
            : `unknown Application "${name}" in clusters/${cluster}/apps: expected one of ${names.join(", ")}`,
        exitCodes.usage,
    );
}
