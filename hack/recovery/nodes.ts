import { z } from "zod";
import { apiSchema, type Identity, nodeSchema } from "../../config/nodes";
import { Failure } from "../../lib/failure";
import { asRoot, type SshLogin, ssh } from "../../lib/ssh";
import { scriptText } from "../../provision/remote-script";
import { withoutResources } from "../dead-node";
import { sshLogin } from "../ssh-login";
import type { Stack } from "../stack";
import type { ExportedState } from "./deployment";
import { exportState, type Recovery } from "./recover";

const serversSchema = z.array(
    nodeSchema.pick({ name: true, address: true, port: true, user: true, hostKey: true, role: true }).strip(),
);

type Server = z.output<typeof serversSchema>[number];

/** A cluster, from the facts that one of its servers has. */
export interface FoundCluster {
    readonly identity: Identity;
    /** The administrator's kubeconfig. */
    readonly kubeconfig: string;
}

/** Servers in a stack's file. */
function serversOf({ file }: Stack): Server[] {
    const { data } = serversSchema.safeParse(file.config["hearth:nodes"] ?? []);
    return (data ?? []).filter(({ role }) => role === "server");
}

/**
 * Parses the result of credentials.sh with the marker in front: the cluster's id, the token of servers and the token of
 * agents, a line each, then the kubeconfig. Tokens are in the full form there, `K10<hash>::server:<token>`.
 */
export function parseCluster(text: string): FoundCluster | undefined {
    const [cluster = "", server = "", agent = "", ...kubeconfig] = text.split("\n");
    const short = (token: string) => token.replace(/^K10[0-9a-f]{64}::\w+:/, "");
    return /^[0-9a-f]{16}$/.test(cluster) && server !== "" && agent !== ""
        ? {
              identity: { cluster, serverToken: short(server), agentToken: short(agent) },
              kubeconfig: `${kubeconfig.join("\n")}\n`,
          }
        : undefined;
}

/** Reads a server's cluster; undefined if it is in none, or does not answer, which is reported. */
async function askServer(
    server: Server,
    api: string,
    login: SshLogin,
    report: Recovery["report"],
): Promise<FoundCluster | undefined> {
    // A host without a marker is skipped. The script prints its result unchanged, so the marker precedes it.
    const mark = "/etc/rancher/hearth-cluster";
    const input = `[ -e ${mark} ] || exit 0\nsed -n 1p ${mark}\n${scriptText("credentials", { api, node: server.name })}`;
    const { code, stdout, stderr } = await ssh(server, [asRoot("look")], { ...login, input, timeout: 120_000 });
    if (code !== 0) {
        report(`${server.name} does not report its cluster: ${stderr.trim().split("\n").pop() ?? ""}`);
        return undefined;
    }
    return parseCluster(stdout);
}

/** The id of the nodes' cluster in the state. */
function knownCluster({ deployment }: ExportedState): unknown {
    const known = (deployment.resources ?? []).find(
        ({ type, urn }) =>
            type === "random:index/randomId:RandomId" && /hearth:provision:Nodes\$[^:]+.*::cluster$/.test(urn),
    );
    return known?.outputs?.["hex"];
}

/**
 * Finds the cluster of a home that is built from nodes, by SSH: a lost state has neither its id nor its tokens nor its
 * kubeconfig. The first two are written into the stack's file, encrypted, and the next run reads the third.
 *
 * @returns its kubeconfig; undefined for a home that is not built from nodes, or whose nodes are in no cluster
 */
export async function findCluster(stack: Stack, recovery: Recovery): Promise<string | undefined> {
    const servers = serversOf(stack);
    const [first] = servers;
    if (first === undefined) {
        return undefined;
    }
    const { pulumi, report } = recovery;
    const { data: given } = apiSchema.safeParse(stack.file.config["hearth:api"]);
    const login = await sshLogin(stack.file.config, () => pulumi(["config", "get", "--path", "hearth:ssh.privateKey"]));
    for (const server of servers) {
        const found = await askServer(server, given?.address ?? first.address, login, report);
        if (found !== undefined) {
            await adopt(found, stack, recovery);
            return found.kubeconfig;
        }
    }
    return undefined;
}

/** Makes the cluster known to the next run. */
async function adopt({ identity, kubeconfig }: FoundCluster, { name, file }: Stack, recovery: Recovery): Promise<void> {
    const { pulumi, report } = recovery;
    const state = await exportState(recovery);
    const known = knownCluster(state);
    const configured = z.object({ cluster: z.string() }).safeParse(file.config["hearth:identity"]).data?.cluster;
    if (configured !== undefined && configured !== identity.cluster) {
        throw new Failure(
            `the nodes are in cluster ${identity.cluster}, and Pulumi.${name}.yaml has another one in hearth:identity: remove ` +
                "it there, and rerun this",
        );
    }
    if (known !== identity.cluster && configured === undefined) {
        for (const [key, value] of Object.entries(identity)) {
            const secret = key === "cluster" ? [] : ["--secret"];
            await pulumi(["config", "set", ...secret, "--path", `hearth:identity.${key}`], value);
        }
        report(`The nodes' cluster is not in the state: Pulumi.${name}.yaml keeps its id and tokens, encrypted`);
    }
    const read = (state.deployment.resources ?? []).filter(
        ({ urn }) => urn.includes("hearth:provision:Nodes$") && urn.endsWith("-credentials"),
    );
    if (read.length > 0 && (await pulumi(["stack", "output", "kubeconfig", "--show-secrets"])) !== kubeconfig.trim()) {
        const urns = read.map(({ urn }) => urn);
        await pulumi(["stack", "import"], JSON.stringify(withoutResources(state, urns)));
        report("The kubeconfig in the state is an old one: the next run reads it again");
    }
}
