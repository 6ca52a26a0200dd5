import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Properties } from "../shared/values";
import type { Fields } from "./fields";
import { number, text } from "./inputs";

const endpoint: Fields = {
    user: { type: "string", otherwise: "root" },
    password: { type: "string", secret: true },
    host: { type: "string", required: true },
    port: { type: "number", otherwise: 22 },
    privateKey: { type: "string", secret: true },
    privateKeyPassword: { type: "string", secret: true },
    agentSocketPath: { type: "string" },
    dialErrorLimit: { type: "number", otherwise: 10 },
    perDialTimeout: { type: "number", otherwise: 15 },
    hostKey: { type: "string" },
};

/** Inputs of a connection. */
export const connectionFields: Fields = { ...endpoint, proxy: { type: "object", fields: endpoint } };

/** The name under which ssh's configuration knows the target. */
export const target = "pulumi-target";
const bastion = "pulumi-proxy";

/** A host key as it stands in an authorized_keys or known_hosts line: without options, host names and comment. */
export function parseHostKey(hostKey: string): { readonly type: string; readonly key: string } {
    const words = hostKey.trim().split(/\s+/);
    const index = words.findIndex((word, at) => /^(?:ssh-|ecdsa-|sk-)/.test(word) && words[at + 1] !== undefined);
    const [type, key] = [words[index], words[index + 1]];
    if (index === -1 || type === undefined || key === undefined || !/^[A-Za-z0-9+/]+=*$/.test(key)) {
        throw new Error("failed to parse host key: ssh: no key found");
    }
    return { type, key };
}

/** Algorithms that prove a key of this type. */
function algorithmsOf(type: string): string {
    return type === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256,ssh-rsa" : type;
}

/** A word of ssh's configuration. */
export function quoted(word: string): string {
    return `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** Lines of ssh's configuration for one end of the connection; keys and passwords go to files of their own. */
function section(alias: string, connection: Properties, folder: string): string[] {
    const hostKey = text(connection, "hostKey");
    const privateKey = text(connection, "privateKey");
    const timeout = number(connection, "perDialTimeout", 15);
    const agent = text(connection, "agentSocketPath") ?? process.env["SSH_AUTH_SOCK"];
    const lines = [
        `Host ${alias}`,
        `HostName ${quoted(text(connection, "host") ?? "")}`,
        `Port ${Math.trunc(number(connection, "port", 22))}`,
        `User ${quoted(text(connection, "user") ?? "root")}`,
        `HostKeyAlias ${alias}`,
        `NumberOfPasswordPrompts 1`,
        ...(timeout > 0 ? [`ConnectTimeout ${timeout}`] : []),
    ];
    if (hostKey === undefined) {
        lines.push("StrictHostKeyChecking no", "UserKnownHostsFile /dev/null");
    } else {
        const { type, key } = parseHostKey(hostKey);
        const file = join(folder, `${alias}.known-hosts`);
        writeFileSync(file, `${alias} ${type} ${key}\n`, { mode: 0o600 });
        const known = `UserKnownHostsFile ${quoted(file)}`;
        lines.push("StrictHostKeyChecking yes", known, `HostKeyAlgorithms ${algorithmsOf(type)}`);
    }
    if (privateKey === undefined) {
        lines.push("IdentityFile none");
    } else {
        if (!privateKey.includes("-----BEGIN ")) {
            throw new Error("ssh: no key found");
        }
        const file = join(folder, `${alias}.key`);
        writeFileSync(file, privateKey.endsWith("\n") ? privateKey : `${privateKey}\n`, { mode: 0o600 });
        lines.push(`IdentityFile ${quoted(file)}`);
    }
    lines.push(...(agent ? [`IdentityAgent ${quoted(agent)}`] : ["IdentityAgent none", "IdentitiesOnly yes"]));
    return lines;
}

/** Writes the program that answers ssh's questions for one end of the connection. */
function writeAskpass(alias: string, connection: Properties, folder: string): string {
    const answers = join(folder, `${alias}.password`);
    const passphrase = join(folder, `${alias}.passphrase`);
    writeFileSync(answers, `${text(connection, "password") ?? ""}\n`, { mode: 0o600 });
    writeFileSync(passphrase, `${text(connection, "privateKeyPassword") ?? ""}\n`, { mode: 0o600 });
    const file = join(folder, `${alias}.askpass`);
    const script = `#!/bin/sh\ncase "$1" in *passphrase*) cat '${passphrase}' ;; *) cat '${answers}' ;; esac\n`;
    writeFileSync(file, script, { mode: 0o700 });
    chmodSync(file, 0o700);
    return file;
}

/** How to call ssh for a connection. */
export interface SshSetup {
    /** The configuration file. */
    readonly config: string;
    readonly environment: NodeJS.ProcessEnv;
}

/**
 * Writes a connection as a configuration of ssh. Nothing else counts: neither the user's own configuration nor keys.
 *
 * @param folder that only this user can read; it has to outlive the connection
 * @param variables environment of the remote command
 * @throws Error when a key is malformed
 */
export function writeSshConfig(
    connection: Properties,
    proxy: Properties | undefined,
    folder: string,
    variables: Readonly<Record<string, string>>,
): SshSetup {
    const config = join(folder, "config");
    const names = Object.entries(variables).map(([name, value]) => quoted(`${name}=${value}`));
    const lines = section(target, connection, folder);
    if (names.length > 0) {
        lines.push(`SetEnv ${names.join(" ")}`);
    }
    if (proxy) {
        const askpass = writeAskpass(bastion, proxy, folder);
        lines.push(`ProxyCommand env SSH_ASKPASS='${askpass}' ssh -F '${config}' -W %h:%p ${bastion}`);
        lines.push(...section(bastion, proxy, folder));
    }
    const common = ["Host *", "GlobalKnownHostsFile /dev/null", "CheckHostIP no", "LogLevel ERROR", "RequestTTY no"];
    // As Go's connections do: the other end is asked every 15 s whether it is there, and given up after nine times.
    const alive = ["ServerAliveInterval 15", "ServerAliveCountMax 9"];
    writeFileSync(config, `${[...lines, ...common, ...alive].join("\n")}\n`, { mode: 0o600 });
    const askpass = writeAskpass(target, connection, folder);
    return {
        config,
        environment: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":0" },
    };
}
