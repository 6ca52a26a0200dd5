import type { BackupRow } from "../backups/results";
import { type Claim, type Home, keyOf, lostClaims } from "./home";

/** Restore of data that is lost with a node, if it has copies off the home. */
export interface Restore {
    /** Services with lost data. */
    readonly services: readonly string[];
    /** Claims with their last copy and the seconds that the restore of their last drill took. */
    readonly claims: readonly (Pick<BackupRow, "claim" | "copied" | "seconds"> & { readonly service: string })[];
    /** Seconds of all drills together. */
    readonly seconds: number;
    /** Claims with a copy that no drill has restored yet. */
    readonly undrilled: readonly string[];
    /** Claims without any copy. */
    readonly uncopied: readonly string[];
}

/** Service that a claim belongs to, as the library chart labels it. */
function serviceOf(claim: Claim): string {
    const { namespace, name, labels } = claim.metadata;
    return `${namespace}/${labels?.["app.kubernetes.io/name"] ?? name}`;
}

/** Copies of claims, and the time that their restore takes. */
export function restoreOf(lost: readonly Claim[], backups: readonly BackupRow[]): Restore {
    const claims = lost
        .map((each) => {
            const claim = keyOf(each);
            const { copied, seconds } = backups.find((row) => row.claim === claim) ?? {};
            return {
                claim,
                service: serviceOf(each),
                ...(copied && { copied }),
                ...(seconds !== undefined && { seconds }),
            };
        })
        .sort((one, other) => one.claim.localeCompare(other.claim, "en"));
    const copied = claims.filter((each) => each.copied !== undefined);
    return {
        services: [...new Set(claims.map(({ service }) => service))],
        claims,
        seconds: copied.reduce((sum, { seconds = 0 }) => sum + seconds, 0),
        undrilled: copied.filter(({ seconds }) => seconds === undefined).map(({ claim }) => claim),
        uncopied: claims.filter((each) => each.copied === undefined).map(({ claim }) => claim),
    };
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** A length of time in words: "9 minutes". */
function formatSeconds(seconds: number): string {
    const rounded = Math.round(seconds);
    if (rounded < 90) {
        return count(rounded, "second");
    }
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? count(minutes, "minute") : count(Math.round(minutes / 60), "hour");
}

/** Time that a restore takes, and the claims that it does not restore, as the start of a sentence. */
export function formatRestore({ claims, seconds, undrilled, uncopied }: Restore): string {
    if (uncopied.length === claims.length) {
        return "no backup has a copy of them";
    }
    const time =
        undrilled.length + uncopied.length === claims.length
            ? "no drill has measured the time that restoring them takes"
            : `restoring them takes about ${formatSeconds(seconds)}`;
    const known = undrilled.length + uncopied.length < claims.length;
    return [
        time,
        ...(known && undrilled.length > 0 ? [`not counting ${count(undrilled.length, "volume")} without a drill`] : []),
        ...(uncopied.length > 0 ? [`and ${count(uncopied.length, "volume")} without a backup`] : []),
    ].join(", ");
}

/** The node whose loss costs most data, in a sentence; undefined when every volume can be mounted elsewhere. */
export function largestLoss(home: Pick<Home, "nodes" | "claims" | "volumes" | "backups">): string | undefined {
    const losses = home.nodes
        .map(({ metadata: { name: node } }) => ({ node, restore: restoreOf(lostClaims(home, [node]), home.backups) }))
        .filter(({ restore }) => restore.claims.length > 0);
    const [worst] = losses.sort(
        (one, other) =>
            other.restore.services.length - one.restore.services.length || one.node.localeCompare(other.node, "en"),
    );
    return (
        worst &&
        `${worst.node} holds the only copy of ${count(worst.restore.services.length, "service")} in this home; ` +
            `${formatRestore(worst.restore)}.`
    );
}
