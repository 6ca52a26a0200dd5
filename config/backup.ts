import { isIPv4 } from "node:net";
import { z } from "zod";
import { isText } from "../lib/characters";
import { hostKeyForm, hostKeyMistake, privateKeyMistake } from "./ssh-keys";
import { checked, lineOf, matching } from "./text";

/** Longer than any repository's; without "..". */
const whole = "^(?=.{1,1000}$)(?!.*\\.\\.)";
const host = "[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?";
const port = "(:[1-9][0-9]{0,4})?";
const folder = "[\\w.~-]+(/[\\w.~-]+)*/?";

/**
 * Forms of a repository's URL, as restic takes them:
 * https://restic.readthedocs.io/en/stable/030_preparing_a_new_repo.html A folder of an NFS export, which restic would
 * expect to be mounted, is served by a rest-server in the cluster.
 */
const kinds = {
    s3: new RegExp(`${whole}s3:https?://${host}${port}/${folder}$`),
    sftp: new RegExp(`${whole}sftp://[\\w.-]+@${host}${port}//?${folder}$`),
    rest: new RegExp(`${whole}rest:https?://${host}${port}/(${folder})?$`),
    nfs: new RegExp(`${whole}nfs://${host}/${folder}$`),
};

/** Credentials for a repository. */
export type TargetKind = keyof typeof kinds;

const targetForm =
    'a repository as "s3:https://<host>/<bucket>/<folder>", "sftp://<user>@<host>//<folder>", "rest:https://<host>/<name>/" or ' +
    '"nfs://<host>/<folder>", ' +
    "without a password";

/** The access to the repository that a URL names. */
export function targetKind(target: string): TargetKind | undefined {
    return (Object.keys(kinds) as TargetKind[]).find((kind) => kinds[kind].test(target));
}

const targetFields = {
    /** The repository's URL, in restic's form. */
    target: z.string(targetForm).refine((text) => targetKind(text) !== undefined, targetForm),
    /** Account of an s3 target. */
    s3: z
        .strictObject({
            accessKey: lineOf("the key's id"),
            /** The key (as a secret). */
            secretKey: lineOf("the key, as a secret"),
            region: matching(/^[a-z0-9-]{1,40}$/, "the name of a region").optional(),
        })
        .optional(),
    /** Account of an sftp target. */
    sftp: z
        .strictObject({
            /** Private key of an account that may write to the folder (as a secret). */
            privateKey: checked("the private key of the account", privateKeyMistake),
            hostKey: checked(hostKeyForm, hostKeyMistake),
        })
        .optional(),
    /** Account of a rest target, and the authority of its certificate where no browser knows it. */
    rest: z
        .strictObject({
            user: lineOf("the name of the account").optional(),
            /** Its password (as a secret). */
            password: lineOf("the account's password, as a secret").optional(),
            certificate: z
                .string("certificates in PEM, with their BEGIN and END lines")
                .refine(
                    (text) =>
                        isText(text) && /^-----BEGIN CERTIFICATE-----\n[\s\S]+-----END CERTIFICATE-----\s*$/.test(text),
                    "certificates in PEM, with their BEGIN and END lines",
                )
                .optional(),
        })
        .optional(),
};

/** Checks that a target has exactly the account that it needs. */
function checkAccount({ value, issues }: z.core.ParsePayload<unknown>): void {
    const given: Readonly<Record<string, unknown>> = Object(value);
    const kind = targetKind(String(given["target"]));
    if (kind === undefined) {
        return; // The invalid target is already reported.
    }
    for (const each of ["s3", "sftp", "rest"]) {
        if (each === kind && kind !== "rest" && given[each] === undefined) {
            const message = `the account of the target: ${kind === "s3" ? "accessKey and secretKey" : "privateKey and hostKey"}`;
            issues.push({ code: "custom", input: undefined, path: [each], message });
        } else if (each !== kind && given[each] !== undefined) {
            const message = `nothing: the target begins with "${kind}:"`;
            issues.push({ code: "custom", input: given[each], path: [each], message });
        }
    }
}

const kept = (what: string) => z.int(what).min(0, what).max(1000, "at most 1000");

/** Copies of volumes off the home. */
export const backupSchema = z
    .strictObject({
        ...targetFields,
        /**
         * Password of the repository (as a secret), which encrypts every copy. It is never generated: with the state lost,
         * nothing could be read.
         */
        password: lineOf("the repository's password, as a secret"),
        /** Name of the home in the repository; by default its domain. A repository of another home is refused. */
        home: matching(
            /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
            "lower-case letters, digits, dots and hyphens",
        ).optional(),
        /** A second repository, with the same password. */
        second: z.strictObject(targetFields).check(checkAccount).optional(),
        /** Hour of the night at which the first copies are made, in the home's time. */
        start: z.int("an hour, 0 to 23").min(0, "an hour, 0 to 23").max(23, "an hour, 0 to 23").default(1),
        /** Hours that the copies are spread over. */
        hours: z.int("1 to 12 hours").min(1, "1 to 12 hours").max(12, "1 to 12 hours").default(4),
        /** Number of copies of each volume that are kept. */
        keep: z
            .strictObject({
                daily: kept("a number of days").default(7),
                weekly: kept("a number of weeks").default(4),
                monthly: kept("a number of months").default(12),
            })
            .refine(({ daily, weekly, monthly }) => daily + weekly + monthly > 0, "at least one copy")
            .prefault({}),
        /** Upload of each copy, in KiB a second; without it, unlimited. */
        uploadLimit: z.int("KiB a second").min(1, "at least 1 KiB a second").optional(),
        /** True if a service with an empty volume starts when no target can be read. */
        startEmpty: z.boolean().default(false),
    })
    .check(checkAccount)
    .refine(({ target, second }) => second?.target !== target, {
        path: ["second", "target"],
        error: "another repository",
    });

type Given = z.output<typeof backupSchema>;

/** Copies of volumes off the home, validated. */
export type BackupSettings = Given & { readonly home: string };

/** A repository, with the prefix of its keys in the Secret. */
export interface Target extends z.output<z.ZodObject<typeof targetFields>> {
    readonly name: "main" | "second";
}

/** The repositories, in the order in which they are written and read. */
export function backupTargets({ target, s3, sftp, rest, second }: Given): Target[] {
    return [{ name: "main", target, s3, sftp, rest }, ...(second ? [{ name: "second" as const, ...second }] : [])];
}

/** Namespace of jobs on the whole repository. */
export const backupNamespace = "backup";

/** Port of a rest-server in the cluster. */
export const serverPort = 8000;

/** Name of the rest-server that serves a target in an NFS export, and label of its pods. */
export function serverName({ name }: Pick<Target, "name">): string {
    return `server-${name}`;
}

/** URL of the repository for the pods of the home. */
export function repositoryUrl(target: Pick<Target, "name" | "target">): string {
    return targetKind(target.target) === "nfs"
        ? `rest:http://${serverName(target)}.${backupNamespace}.svc:${serverPort}/`
        : target.target;
}

/** Host name and port of a repository. */
export function targetAddress(target: string): { readonly host: string; readonly port: number } {
    const url = new URL(target.replace(/^(s3|rest):/, ""));
    const defaults: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "sftp:": 22 };
    return { host: url.hostname, port: url.port === "" ? (defaults[url.protocol] ?? 443) : Number(url.port) };
}

/** Peer of the pods that copy and restore, in the form of `network.to` of the charts. */
export type TargetPeer = { readonly ports: number[] } & (
    | { readonly cidr: string }
    | { readonly anywhere: true }
    | { readonly namespace: string; readonly workload: string }
);

/** Peer that pods need for a copy. */
export function targetPeer(target: Pick<Target, "name" | "target">): TargetPeer {
    if (targetKind(target.target) === "nfs") {
        return { namespace: backupNamespace, workload: serverName(target), ports: [serverPort] };
    }
    const { host: name, port: number } = targetAddress(target.target);
    return isIPv4(name) ? { cidr: `${name}/32`, ports: [number] } : { anywhere: true, ports: [number] };
}
