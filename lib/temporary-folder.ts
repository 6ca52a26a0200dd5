import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "./failure";

/**
 * Creates a folder that only this user can read.
 *
 * @param parents folders to create it in, the first that exists and can be written to; by default the system's for
 *     temporary files, where `su`, cron and containers may name one that does not exist
 * @throws Failure when none of them can be written to
 */
export function temporaryFolder(parents: readonly (string | undefined)[] = []): string {
    const candidates = [...parents, tmpdir(), "/tmp"].flatMap((parent) => parent || []);
    let problem: unknown;
    for (const parent of candidates) {
        try {
            return mkdtempSync(join(parent, "hearth-"));
        } catch (error) {
            problem = error;
        }
    }
    throw new Failure(
        `no temporary folder can be created: ${Object(problem).message}; set TMPDIR to one with free space`,
    );
}
