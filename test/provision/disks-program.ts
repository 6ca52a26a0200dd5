// The program of the tests of data disks: only the disks of each node, without the steps before and after.
import * as pulumi from "@pulumi/pulumi";
import { loadSettings } from "../../config/settings";
import { preflight } from "../../provision/preflight";
import { Storage } from "../../provision/storage";
import { Unattended } from "../../provision/unattended";
import { Unlock } from "../../provision/unlock";

const { nodes = [], ssh, k3s, storage: shared } = loadSettings();
if (ssh === undefined || shared === undefined) {
    throw new pulumi.RunError("hearth:ssh and hearth:storage are missing");
}
// The node, and the other machine of the tests.
const clients = [...nodes.map(({ address }) => address), "10.77.0.20"];
const purpose = { mount: shared.mount };
const looked = preflight("preflight", { nodes, ssh, cluster: "test", k3s, purpose }, {});

/** Host key of a node that waits for its passphrase, by the node's name. */
export const unlockHostKeys: Record<string, pulumi.Output<string>> = {};
for (const node of nodes) {
    const { name, disks, raid, unlock } = node;
    const storage = new Storage(
        `${name}-storage`,
        { node, ssh, disks, raid, clients, ...shared },
        { dependsOn: looked },
    );
    if (unlock === undefined) {
        new Unattended(`${name}-unattended`, { node, ssh, disks, ...shared }, { dependsOn: storage });
    } else {
        const unlocking = new Unlock(`${name}-unlock`, { node, ssh, disks, unlock, ...shared }, { dependsOn: storage });
        unlockHostKeys[name] = unlocking.hostKey;
    }
}
