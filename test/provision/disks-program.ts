// The program that the tests of data disks run: the disks of each node, and nothing of what comes before and after them.
import * as pulumi from "@pulumi/pulumi";
import { loadSettings } from "../../config/settings";
import { preflight } from "../../provision/preflight";
import { Storage } from "../../provision/storage";
import { Unlock } from "../../provision/unlock";

const { nodes = [], ssh, storage: shared } = loadSettings();
if (ssh === undefined || shared === undefined) {
    throw new pulumi.RunError("hearth:ssh and hearth:storage are missing");
}
const { privateKey } = ssh;
const { mount, allowedRanges } = shared;
const purpose = { mount, allowedRanges };
const looked = preflight("preflight", { nodes, privateKey, cluster: "test", purpose }, {});

/** What answers in a node that waits for its passphrase, by the node's name. */
export const unlockHostKeys: Record<string, pulumi.Output<string>> = {};
for (const node of nodes) {
    const { name, disks, unlock } = node;
    const storage = new Storage(`${name}-storage`, { node, privateKey, disks, ...shared }, { dependsOn: looked });
    if (unlock !== undefined) {
        const unlocking = new Unlock(`${name}-unlock`, { node, privateKey, disks, unlock }, { dependsOn: storage });
        unlockHostKeys[name] = unlocking.hostKey;
    }
}
