import type { local, remote, types } from "@pulumi/command";
import { Logging as LocalLogging } from "@pulumi/command/types/enums/local";
import { Logging as RemoteLogging } from "@pulumi/command/types/enums/remote";
import { z } from "zod";
import type { SchemaOf } from "../properties";

/** Arguments of local.Command that this repository's program sets. */
const localInputs = z.strictObject({
    create: z.string(),
    stdin: z.string().optional(),
    environment: z.record(z.string(), z.string()).optional(),
    logging: z.enum(LocalLogging).optional(),
    triggers: z.array(z.unknown()).optional(),
} satisfies SchemaOf<local.CommandArgs>);

/** One hop of a connection. */
const host = {
    host: z.string(),
    port: z.number(),
    user: z.string(),
    hostKey: z.string(),
    privateKey: z.string().optional(),
    dialErrorLimit: z.number(),
    perDialTimeout: z.number(),
} satisfies SchemaOf<types.input.remote.ProxyConnectionArgs>;

/** Arguments of remote.Command that this repository's program sets. */
const remoteInputs = z.strictObject({
    connection: z.strictObject({
        ...host,
        proxy: z.strictObject(host).optional(),
    } satisfies SchemaOf<types.input.remote.ConnectionArgs>),
    create: z.string(),
    delete: z.string().optional(),
    stdin: z.string().optional(),
    logging: z.enum(RemoteLogging).optional(),
    // The previous output would be an environment variable, which sshd accepts only where it is configured to.
    addPreviousOutputInEnv: z.literal(false),
} satisfies SchemaOf<remote.CommandArgs>);

/** Inputs by the type of the resource. */
export const commandSchemas = { "command:local:Command": localInputs, "command:remote:Command": remoteInputs } as const;

/** SSH connection to a host. */
export type Connection = z.infer<typeof remoteInputs>["connection"];
