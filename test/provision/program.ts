// The program that the tests of provisioning run: the nodes, and nothing of what comes after them.
import * as pulumi from "@pulumi/pulumi";
import { nodesSchema } from "../../config/nodes";
import { Nodes } from "../../provision/nodes";

const config = new pulumi.Config();
const release = config.requireObject<{ version: string; sha256: string }>("release");
const api = config.getObject<{ address: string; virtual: boolean }>("api");

/** The cluster's administrator. */
export const { kubeconfig } = new Nodes("nodes", {
    nodes: nodesSchema.parse(config.requireObject("nodes")),
    privateKey: config.requireSecret("privateKey"),
    source: config.require("source"),
    release: { version: release.version, sha256: { x86_64: release.sha256, aarch64: release.sha256 } },
    ...(api === undefined ? {} : { api }),
});
