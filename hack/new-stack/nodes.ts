import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import type { z } from "zod";
import { edgeSchema } from "../../config/edge";
import { apiSchema, nodeSchema, sshSchema } from "../../config/nodes";
import { Failure } from "../../lib/failure";
import { homeDirectory } from "../../lib/paths";
import { fingerprintCommand } from "../host-key";
import type { Interview } from "./interview";
import type { Prompter } from "./prompter";

/** Settings of a node that are prompted for; the others have defaults. */
type Node = Pick<z.input<typeof nodeSchema>, "name" | "address" | "user" | "role" | "hostKey">;

const { name, address, user, role } = nodeSchema.shape;

/** Mistake in an answer, in the schema's words. */
const mistakeBy = (schema: z.ZodType) => (answer: string) => {
    const issue = schema.safeParse(answer.trim()).error?.issues[0];
    return issue && `expected ${issue.message}`;
};

/** Prompts for a line that a schema accepts. */
async function line<T>(prompter: Prompter, title: string, explanation: string, schema: z.ZodType<T>): Promise<T> {
    const answer = await prompter.text({ title, explanation, mistake: mistakeBy(schema) });
    return schema.parse(answer.trim());
}

/** The host key of a node, once the user has confirmed the fingerprint on its console. */
async function comparedKey({ prompter, askHostKey }: Interview, address: string): Promise<string | undefined> {
    try {
        const { line, fingerprint } = await askHostKey(address);
        const question = `At its console, \`${fingerprintCommand}\` prints ${fingerprint}?`;
        if (await prompter.confirm(question)) {
            return line;
        }
        prompter.report(`${address} is left out: another host answers there, or its host key has changed.`);
    } catch (error) {
        if (!(error instanceof Failure)) {
            throw error;
        }
        prompter.report(`${error.message}. It is left out.`);
    }
    return undefined;
}

async function askNode(interview: Interview, named: string): Promise<Node | undefined> {
    const { prompter } = interview;
    const at = await line(prompter, `Address of ${named}`, "At which the other nodes reach it too.", address);
    const login = await line(prompter, `User on ${named}`, "root, or a user with passwordless sudo.", user);
    const as = await line(
        prompter,
        `Role of ${named}`,
        "A server runs the control plane, an agent only pods; an odd number of servers, and the first starts the cluster.",
        role,
    );
    const hostKey = await comparedKey(interview, at);
    return hostKey === undefined ? undefined : { name: named, address: at, user: login, role: as, hostKey };
}

async function askPrivateKey({ prompter, vault }: Interview): Promise<void> {
    const { privateKey } = sshSchema.shape;
    const read = (path: string) => {
        try {
            return readFileSync(path.trim().replace(/^~(?=\/)/, homeDirectory()), "utf8");
        } catch {
            return undefined;
        }
    };
    const path = await prompter.text({
        title: "File with the private key that the hosts accept",
        explanation: "Without a passphrase of its own: its contents are kept in the stack, encrypted.",
        mistake: (answer) => {
            const contents = read(answer);
            return contents === undefined
                ? "expected the path of a file with a private key that this user may read"
                : mistakeBy(privateKey)(contents);
        },
    });
    await vault.set(["ssh", "privateKey"], read(path) ?? "");
}

/**
 * Prompts for the hosts to build the cluster from, in addition to those in the stack's file. Each is stored as soon as
 * the user has compared its host key.
 */
export async function askNodes(interview: Interview): Promise<void> {
    const { prompter, file } = interview;
    if (file.at(["ssh", "privateKey"]) === undefined && file.at(["ssh", "agent"]) !== true) {
        await askPrivateKey(interview);
    }
    const current = file.at(["nodes"]);
    let nodes: readonly Node[] = Array.isArray(current) ? current : [];
    for (;;) {
        const mayEnd = nodes.length > 0;
        const given = await prompter.text({
            title: mayEnd ? "Name of another node" : "Name of the first node",
            explanation: mayEnd
                ? "Leave it empty if there are no more."
                : "Its host name, and its name in the cluster.",
            mistake: (answer) => (mayEnd && answer.trim() === "" ? undefined : mistakeBy(name)(answer)),
        });
        if (given.trim() === "") {
            break;
        }
        const node = await askNode(interview, given.trim());
        if (node !== undefined) {
            nodes = [...nodes.filter((each) => each.name !== node.name), node];
            file.set(["nodes"], nodes);
        }
    }
    const servers = nodes.filter((node) => node.role === "server");
    if (servers.length > 1 && file.at(["api", "address"]) === undefined) {
        const explanation =
            "A free address of your network that the servers share; or a name that resolves to any of them.";
        const address = await line(prompter, "hearth:api.address", explanation, apiSchema.shape.address);
        file.set(["api", "address"], address);
        file.set(["api", "virtual"], isIPv4(address));
    }
}

/**
 * Prompts for the access from outside: ports that the router forwards, or a host on the Internet for a home behind its
 * provider's NAT. The host is stored as soon as the user has compared its host key.
 */
export async function askEdge(interview: Interview): Promise<void> {
    const { prompter, file } = interview;
    if (file.at(["edge"]) !== undefined) {
        return;
    }
    const given = await prompter.text({
        title: "hearth:edge.address",
        explanation:
            "Access from the Internet. Leave it empty if the router has a public address and forwards ports, or nothing " +
            "should be reachable from outside. Behind a provider's NAT (CGNAT), name a small host with a public address, Debian " +
            "and an sshd: the nodes dial out to it.",
        mistake: (answer) => (answer.trim() === "" ? undefined : mistakeBy(edgeSchema.shape.address)(answer)),
    });
    const at = given.trim();
    if (at === "") {
        return;
    }
    const login = await line(prompter, "hearth:edge.user", "root, or a user with passwordless sudo.", user);
    const hostKey = await comparedKey(interview, at);
    if (hostKey !== undefined) {
        file.set(["edge"], { address: at, user: login, hostKey });
    }
}
