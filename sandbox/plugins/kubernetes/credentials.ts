import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import type { Properties } from "../shared/values";
import type { ActiveContext } from "./kubeconfig";
import { at, listAt, stringAt } from "./objects";

const run = promisify(execFile);

/** How to reach an API server and who to be there. */
export interface Connection {
    /** URL of the API server. */
    readonly server: string;
    readonly tls: {
        readonly ca?: Buffer;
        readonly cert?: Buffer;
        readonly key?: Buffer;
        readonly rejectUnauthorized: boolean;
        readonly servername?: string;
    };
    /** The Authorization header, or "". */
    authorization(): Promise<string>;
}

function material(owner: Properties, key: string, directory: string): Buffer | undefined {
    const data = stringAt(owner, `${key}-data`);
    if (data !== "") {
        return Buffer.from(data, "base64");
    }
    const file = stringAt(owner, key);
    return file === "" ? undefined : readFileSync(resolve(directory, file));
}

interface ExecCredential {
    readonly token: string;
    readonly cert?: Buffer;
    readonly key?: Buffer;
}

async function execCredential(exec: Properties): Promise<ExecCredential> {
    const extra = listAt(exec, "env").map((each) => [stringAt(each, "name"), stringAt(each, "value")]);
    const args = listAt(exec, "args").map(String);
    const information = { apiVersion: stringAt(exec, "apiVersion"), kind: "ExecCredential", spec: {} };
    const { stdout } = await run(stringAt(exec, "command"), args, {
        env: { ...process.env, ...Object.fromEntries(extra), KUBERNETES_EXEC_INFO: JSON.stringify(information) },
    });
    const status = at(JSON.parse(stdout) as Properties, "status");
    const cert = stringAt(status, "clientCertificateData");
    const key = stringAt(status, "clientKeyData");
    return {
        token: stringAt(status, "token"),
        ...(cert && key ? { cert: Buffer.from(cert), key: Buffer.from(key) } : {}),
    };
}

/**
 * Reads certificates and the like of the chosen cluster and user.
 *
 * @param directory folder that relative paths start from
 * @throws Error when a file cannot be read or an exec plugin fails
 */
export async function connect(context: ActiveContext, directory: string): Promise<Connection> {
    const { cluster, user } = context;
    const exec = at(user, "exec");
    const credential = exec ? await execCredential(exec as Properties) : undefined;
    const tokenFile = stringAt(user, "tokenFile");
    const token = credential?.token || stringAt(user, "token");
    const basic = stringAt(user, "username");
    const ca = material(cluster, "certificate-authority", directory);
    const cert = credential?.cert ?? material(user, "client-certificate", directory);
    const key = credential?.key ?? material(user, "client-key", directory);
    const servername = stringAt(cluster, "tls-server-name");
    return {
        server: stringAt(cluster, "server").replace(/\/$/, ""),
        tls: {
            ...(ca ? { ca } : {}),
            ...(cert ? { cert } : {}),
            ...(key ? { key } : {}),
            ...(servername ? { servername } : {}),
            rejectUnauthorized: cluster["insecure-skip-tls-verify"] !== true,
        },
        authorization: async () => {
            if (tokenFile !== "") {
                return `Bearer ${readFileSync(resolve(directory, tokenFile), "utf8").trim()}`;
            }
            if (token !== "") {
                return `Bearer ${token}`;
            }
            return basic === ""
                ? ""
                : `Basic ${Buffer.from(`${basic}:${stringAt(user, "password")}`).toString("base64")}`;
        },
    };
}
