// The program of the provisioning tests: only the nodes, without the later steps.
import * as pulumi from "@pulumi/pulumi";
import { edgeSchema } from "../../config/edge";
import { identitySchema, k3sSchema, nodesSchema, registriesSchema } from "../../config/nodes";
import { Edge } from "../../provision/edge";
import { Nodes } from "../../provision/nodes";

const config = new pulumi.Config();
const release = config.requireObject<{ version: string; sha256: string }>("release");
const identity = identitySchema.optional().parse(config.getObject("identity"));
const api = config.getObject<{ address: string; virtual: boolean }>("api");

const edge = edgeSchema.optional().parse(config.getObject("edge"));

const home = {
    nodes: nodesSchema.parse(config.requireObject("nodes")),
    ssh: config.requireObject<{ privateKey: string }>("ssh"),
    k3s: k3sSchema.parse({ source: config.require("source"), ...config.getObject<object>("k3s") }),
    registries: registriesSchema.parse(config.getObject("registries") ?? {}),
    release: { version: release.version, sha256: { x86_64: release.sha256, aarch64: release.sha256 } },
};
const nodes = new Nodes("nodes", {
    ...home,
    discard: config.getObject<string[]>("discard") ?? [],
    ...(edge === undefined ? {} : { edge }),
    ...(identity === undefined ? {} : { identity }),
    ...(api === undefined ? {} : { api }),
});
if (edge !== undefined) {
    new Edge("edge", { ...home, edge, cluster: nodes.cluster }, { dependsOn: nodes });
}

/** The cluster's administrator. */
export const { kubeconfig } = nodes;
