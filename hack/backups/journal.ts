import { z } from "zod";
import { Failure } from "../../lib/failure";
import type { Kubectl } from "../kubectl";

/** Name of the ConfigMap, in the namespace of the service. */
const name = "restore";

/** Label of every journal, for `hack/status`. */
export const journalLabel = "hearth/restore";

const journalSchema = z.object({
    /** The chart, for readers of the journal. */
    chart: z.string(),
    /** Part of the names of its Jobs: a call that resumes it finds the Jobs of the killed call. */
    id: z.string(),
    /**
     * copying: the service runs. exchanging and undoing: it is stopping or stopped. done: the copies are in use, and
     * the old data is kept next to them. undone: the reverse.
     */
    state: z.enum(["copying", "exchanging", "done", "undoing", "undone"]),
    /** Claims whose data and copy are exchanged. */
    exchanged: z.array(z.string()).readonly(),
    claims: z.array(z.object({ claim: z.string(), copy: z.string(), time: z.string(), target: z.string() })).readonly(),
    stopped: z
        .object({
            workloads: z.array(z.object({ kind: z.string(), name: z.string(), replicas: z.number() })).readonly(),
            cronJobs: z.array(z.string()).readonly(),
        })
        .optional(),
});

/** Progress of a service's restore. It is kept in the cluster, so the next run of the verb continues from there. */
export type Journal = z.output<typeof journalSchema>;

/** A journal in the cluster, as `hack/status` lists them. */
export interface JournalObject {
    readonly metadata: { readonly namespace: string };
    readonly data?: { readonly journal?: string };
}

/** Reports whether a restore, or its undo, keeps its service stopped. */
export function isStopped({ state }: Journal): boolean {
    return state === "exchanging" || state === "undoing";
}

/** Parsed journal; undefined if it is invalid. */
export function parseJournal({ data }: JournalObject): Journal | undefined {
    try {
        return journalSchema.safeParse(JSON.parse(data?.journal ?? "")).data;
    } catch {
        return undefined;
    }
}

/**
 * The journal of a service's last restore.
 * @throws Failure when a ConfigMap of that name is not a journal
 */
export async function readJournal(kubectl: Kubectl, namespace: string): Promise<Journal | undefined> {
    const query = ["get", "configmap", name, "--namespace", namespace, "--ignore-not-found", "--output", "json"];
    const found = await kubectl.run(query);
    if (found === "") {
        return undefined;
    }
    const journal = parseJournal(JSON.parse(found));
    if (journal === undefined) {
        throw new Failure(`ConfigMap ${namespace}/${name} is not the journal of a restore: check it, then delete it`);
    }
    return journal;
}

/** Writes a journal. */
export async function writeJournal(kubectl: Kubectl, namespace: string, journal: Journal): Promise<void> {
    const object = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace, labels: { [journalLabel]: journal.state } },
        data: { journal: JSON.stringify(journal) },
    };
    await kubectl.run(
        ["apply", "--server-side", "--force-conflicts", "--field-manager", "hearth", "--filename", "-"],
        JSON.stringify(object),
    );
}

/** Removes a journal. */
export async function removeJournal(kubectl: Kubectl, namespace: string): Promise<void> {
    await kubectl.run(["delete", "configmap", name, "--namespace", namespace, "--ignore-not-found"]);
}
