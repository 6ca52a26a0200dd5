import { join } from "node:path";
import { type Rule, ruleInWords } from "../charts/permission";
import type { Home } from "./home";

/** Resources that `kubectl auth can-i --list` asks about. */
interface RulesReview {
    readonly status: { readonly resourceRules: readonly Rule[]; readonly nonResourceRules: readonly Rule[] };
}

interface Listed {
    readonly items: readonly { readonly metadata: { readonly namespace: string; readonly name: string } }[];
}

/** A namespace without its own grants: rights in it are granted everywhere. */
const nowhere = "hearth-nowhere";

/** Rights that the API server grants an account, by namespace, in the words of the table. */
async function rulesOf(home: Home, account: string, namespaces: readonly string[]): Promise<Map<string, string[]>> {
    const items = namespaces.map((namespace) => ({
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectRulesReview",
        spec: { namespace },
    }));
    home.write(".sandbox/reviews.json", JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    const { code, output } = await home.kubectl(
        ...["create", "--filename", join(home.root, ".sandbox/reviews.json"), "--validate=false", "--output=json"],
        `--as=system:serviceaccount:${account.replace("/", ":")}`,
    );
    if (code !== 0) {
        throw new Error(output);
    }
    // A sequence of objects instead of a list; none of them contains its request.
    const reviews: readonly RulesReview[] = JSON.parse(`[${output.replace(/^}\n(?={)/gm, "},")}]`);
    return new Map(
        reviews.map(({ status }, index) => [
            namespaces[index] ?? "",
            [...status.resourceRules, ...status.nonResourceRules].map(ruleInWords),
        ]),
    );
}

/** Rights that the API server grants to the accounts of a home. */
export interface Granted {
    /** The existing accounts. */
    readonly accounts: readonly string[];
    /** Rights of each beyond {@link everybody}, as lines of the table. */
    readonly lines: readonly string[];
    /** Rights of an account without any binding. */
    readonly everybody: readonly string[];
}

/** The API server's answers to each account about its rights, in every namespace of the home. */
export async function granted(home: Home): Promise<Granted> {
    const [{ items: accounts }, { items: namespaces }] = await Promise.all([
        home.get<Listed>("serviceaccounts", "--all-namespaces"),
        home.get<Listed>("namespaces"),
    ]);
    const names = [...namespaces.map(({ metadata }) => metadata.name), nowhere];
    const everybody = new Set((await rulesOf(home, "default/nobody", names)).get(nowhere));
    const lines: string[] = [];
    for (const { metadata } of accounts) {
        const account = `${metadata.namespace}/${metadata.name}`;
        const rules = await rulesOf(home, account, names);
        const everywhere = new Set(rules.get(nowhere));
        const add = (where: string, some: Iterable<string>) =>
            lines.push(...[...some].map((rule) => `${account} ${where}: ${rule}`));
        add(
            "everywhere",
            [...everywhere].filter((rule) => !everybody.has(rule)),
        );
        for (const name of names) {
            add(`in ${name}`, new Set(rules.get(name)?.filter((rule) => !everywhere.has(rule))));
        }
    }
    return {
        accounts: accounts.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
        lines: lines.sort(),
        everybody: [...everybody].sort(),
    };
}
