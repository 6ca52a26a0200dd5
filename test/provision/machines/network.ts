import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";

const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"] });

/** The MAC address of a machine, independent of its system: it ends with the bytes of the IPv4 address. */
export const hardwareAddress = (address: string) =>
    `52:54:00:77:00:${Number(address.split(".")[3]).toString(16).padStart(2, "0")}`;

/** Command line that runs a program in a network namespace, from which no proxy is reachable. */
export function within(namespace: string, program: string, ...args: readonly string[]): [string, string[]] {
    return ["ip", ["netns", "exec", namespace, "env", "NO_PROXY=*", "no_proxy=*", program, ...args]];
}

/**
 * An isolated network for a test: one network namespace with a bridge, where the test's programs run, and one for each
 * machine, connected to the bridge.
 */
export class Network {
    /** Name of the namespace in which programs reach the machines. */
    readonly namespace = `hearth-${randomBytes(3).toString("hex")}`;
    /** IPv4 address of the bridge, at which the machines reach programs in its namespace. */
    readonly address: string;
    private readonly machines = new Set<string>();

    /**
     * Sets up the bridge.
     *
     * @param prefix first three numbers of its addresses
     */
    constructor(prefix = "10.77.0") {
        this.address = `${prefix}.1`;
        ip("netns", "add", this.namespace);
        ip("-n", this.namespace, "link", "set", "lo", "up");
        ip("-n", this.namespace, "link", "add", "bridge", "type", "bridge");
        ip("-n", this.namespace, "address", "add", `${this.address}/24`, "dev", "bridge");
        ip("-n", this.namespace, "link", "set", "bridge", "up");
    }

    /** The command line that runs a program in this network. */
    command(program: string, ...args: readonly string[]): [program: string, args: string[]] {
        return within(this.namespace, program, ...args);
    }

    /**
     * Connects a machine to the bridge.
     *
     * @param address IPv4 address in the network
     * @returns path of the machine's network namespace
     */
    attach(machine: string, address: string): string {
        const namespace = `${this.namespace}-${machine}`;
        const cable = `v-${machine}`;
        ip("netns", "add", namespace);
        const card = ["name", "eth0", "address", hardwareAddress(address), "netns", namespace];
        ip("-n", this.namespace, "link", "add", cable, "type", "veth", "peer", ...card);
        ip("-n", this.namespace, "link", "set", cable, "master", "bridge", "up");
        ip("-n", namespace, "address", "add", `${address}/24`, "dev", "eth0");
        ip("-n", namespace, "link", "set", "lo", "up");
        ip("-n", namespace, "link", "set", "eth0", "up");
        ip("-n", namespace, "route", "add", "default", "via", this.address);
        this.machines.add(machine);
        return `/run/netns/${namespace}`;
    }

    /** Removes a machine from the bridge, with its network namespace. */
    detach(machine: string): void {
        ip("-n", this.namespace, "link", "delete", `v-${machine}`);
        ip("netns", "delete", `${this.namespace}-${machine}`);
        this.machines.delete(machine);
    }

    /**
     * Makes the bridge the router of a home behind its provider's NAT: hosts here reach another network with the
     * router's address there, and hosts of that network cannot reach those here.
     *
     * @param other the provider's network
     * @param address the router's address there
     * @param root folder with a Debian root that has nftables
     */
    route(other: Network, address: string, root: string): void {
        const cable = ["type", "veth", "peer", "name", "v-router", "netns", other.namespace];
        ip("-n", this.namespace, "link", "add", "wan", ...cable);
        ip("-n", other.namespace, "link", "set", "v-router", "master", "bridge", "up");
        ip("-n", this.namespace, "address", "add", `${address}/24`, "dev", "wan");
        ip("-n", this.namespace, "link", "set", "wan", "up");
        const inside = (input: string, ...args: string[]) =>
            execFileSync("nsenter", [`--net=/run/netns/${this.namespace}`, ...args], { input, stdio: "pipe" });
        inside("", "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1");
        const rules = `table ip router {
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname "wan" ct state new drop
            }
            chain postrouting {
                type nat hook postrouting priority srcnat;
                oifname "wan" masquerade
            }
        }`;
        inside(rules, "chroot", root, "nft", "--file", "-");
    }

    /** Adds a second address to the bridge, like another machine's. */
    hold(address: string): void {
        ip("-n", this.namespace, "address", "add", `${address}/24`, "dev", "bridge");
    }

    /** Gives that address up. */
    release(address: string): void {
        ip("-n", this.namespace, "address", "delete", `${address}/24`, "dev", "bridge");
    }

    /** Pulls a machine's cable out, or plugs it in again. */
    cable(machine: string, state: "up" | "down"): void {
        ip("-n", this.namespace, "link", "set", `v-${machine}`, state);
    }

    /** Removes every namespace. */
    remove(): void {
        for (const machine of this.machines) {
            this.detach(machine);
        }
        ip("netns", "delete", this.namespace);
    }
}
