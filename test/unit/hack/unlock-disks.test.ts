import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeToUnlock } from "../../../hack/unlock-disks";
import { publicKey } from "../keys";

const file = (pinned: string) => `
config:
  hearth:nodes:
    - name: nas
      address: 192.168.1.10
      user: admin
      hostKey: ${publicKey}
      role: server
      disks: []
      unlock:
        address: 192.168.1.20/24
        gateway: 192.168.1.1
        interface: eth0
        keys: ["${publicKey}"]
        ${pinned}
    - { name: other, address: 192.168.1.11, user: root, hostKey: "${publicKey}", role: agent }
`;

const before = process.cwd();
let folder = "";
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-test-"));
    process.chdir(folder);
    writeFileSync("Pulumi.home.yaml", file(`hostKey: ${publicKey} BBBB`));
});
afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
});

test("the initramfs has its own address and host key", () => {
    expect(nodeToUnlock("home", "nas", { nas: "ssh-ed25519 DDDD" })).toEqual({
        name: "nas",
        address: "192.168.1.10",
        port: 22,
        user: "admin",
        hostKey: publicKey,
        unlock: { address: "192.168.1.20", hostKey: `${publicKey} BBBB` },
    });
});

test("an unknown node is rejected with the names of the existing ones", () => {
    expect(() => nodeToUnlock("home", "nsa", {})).toThrow("Pulumi.home.yaml has no node nsa; nodes in it: nas, other");
});

test("its host key is the one that pulumi up recorded, unless the config has one", () => {
    writeFileSync("Pulumi.home.yaml", file(""));
    expect(nodeToUnlock("home", "nas", { nas: "ssh-ed25519 DDDD" }).unlock.hostKey).toBe("ssh-ed25519 DDDD");
});

test.each([
    ["nas", "the host key of nas's initramfs is neither in Pulumi.home.yaml nor in the stack's state"],
    ["other", 'other has no "unlock" in Pulumi.home.yaml'],
])("%s: sends nothing to the host that answers", (name, message) => {
    writeFileSync("Pulumi.home.yaml", file(""));
    expect(() => nodeToUnlock("home", name, { other: "ssh-ed25519 DDDD" })).toThrow(message);
});
