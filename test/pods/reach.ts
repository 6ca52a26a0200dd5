import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../provision/machines/nspawn";

/** Fields of a pod that concern its connections. */
export interface Endpoint {
    /** Namespace and workload, as test/charts/golden/connections.txt names them. */
    readonly name: string;
    readonly address: string;
    readonly node: string;
    /** TCP ports of its containers. */
    readonly ports: readonly number[];
}

const key = (from: string, to: string, port: number) => `${from} => ${to}:${port}`;

/** TCP connections that the charts' NetworkPolicies allow, as computed from the charts. */
function allowed(): Set<string> {
    const text = readFileSync(join(__dirname, "../charts/golden/connections.txt"), "utf8");
    return new Set(
        [...text.matchAll(/^(\S+) => (\S+) : (.*)$/gm)].flatMap(([, from = "", to = "", ports = ""]) =>
            [...ports.matchAll(/TCP ((?:\d+,?)+)/g)].flatMap(([, list = ""]) =>
                list
                    .split(",")
                    .filter(Boolean)
                    .map((port) => key(from, to, Number(port))),
            ),
        ),
    );
}

/** Prints the lines whose connection succeeds; each has a pod's own address, another address and a port. */
const probe = (lines: readonly string[]) => `
declare -A spaces
for space in /run/netns/*; do
    address=$(nsenter --net="$space" ip -4 -o address show dev eth0 | awk '{ sub("/.*", "", $4); print $4 }')
    [[ -z $address ]] || spaces[$address]=$space
done
while read -r own other port; do echo "\${spaces[$own]} $own $other $port"; done <<< '${lines.join("\n")}' |
    xargs --max-procs=16 --max-lines=1 bash -c '
        nsenter --net="$0" timeout 3 bash -c "exec 3<> /dev/tcp/$2/$3" 2> /dev/null && echo "$1 $2 $3" || true'`;

/**
 * Differences between actual connections and the charts' NetworkPolicies, for every pair.
 *
 * @param from pods that try
 * @param to pods with a policy
 */
export async function differences(
    machines: readonly Machine[],
    from: readonly Endpoint[],
    to: readonly Endpoint[],
): Promise<{ tried: number; wrong: string[] }> {
    const expected = allowed();
    const pairs = from
        .flatMap((one) => to.flatMap((other) => other.ports.map((port) => ({ one, other, port }))))
        // A port that is open to every address is open to pods too, whatever was computed: kube-router has no
        // exception.
        .filter(({ one, other, port }) => one.name !== other.name && !expected.has(key("Internet", other.name, port)));
    const open = new Set<string>();
    await Promise.all(
        machines.map(async (machine) => {
            const own = pairs.filter(({ one }) => one.node === machine.name);
            const lines = own.map(({ one, other, port }) => `${one.address} ${other.address} ${port}`);
            const { output } = await machine.run(probe(lines));
            for (const line of output.trim().split("\n")) {
                open.add(line);
            }
        }),
    );
    const wrong = pairs.flatMap(({ one, other, port }) => {
        const isOpen = open.has(`${one.address} ${other.address} ${port}`);
        const should = expected.has(key(one.name, other.name, port));
        return isOpen === should ? [] : [`${key(one.name, other.name, port)} is ${isOpen ? "open" : "closed"}`];
    });
    return { tried: pairs.length, wrong: wrong.sort() };
}
