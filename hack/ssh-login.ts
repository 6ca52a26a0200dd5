import { sshSchema } from "../config/nodes";
import type { SshLogin } from "../lib/ssh";

const schema = sshSchema.pick({ agent: true, jumpHost: true });

/**
 * The way to log in at the nodes of a stack's config.
 *
 * @param readKey decrypts the private key
 */
export async function sshLogin(
    config: Readonly<Record<string, unknown>>,
    readKey: () => Promise<string>,
): Promise<SshLogin> {
    const { agent, jumpHost } = schema.strip().safeParse(config["hearth:ssh"]).data ?? {};
    return agent ? { agent, jumpHost } : { privateKey: await readKey(), jumpHost };
}

/** The host through which the nodes of a stack's config are reached. */
export function jumpHostOf(config: Readonly<Record<string, unknown>>): SshLogin["jumpHost"] {
    return schema.strip().safeParse(config["hearth:ssh"]).data?.jumpHost;
}
