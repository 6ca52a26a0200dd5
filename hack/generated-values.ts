import { readApplications } from "../components/applications";
import { readSecretDeclarations } from "../components/secret-declarations";
import { configPath } from "../config/secrets";
import { checkSize, configSize, readStackFile, stackFileName } from "../config/stack-file";
import type { Kubectl } from "./kubectl";
import { Vault } from "./new-stack/vault";
import type { StackSecrets } from "./secret-list";
import { pulumi, type Stack } from "./stack";

/** A value that the program generates once and keeps in the stack's state. */
export interface GeneratedValue {
    readonly chart: string;
    readonly key: string;
    /** Namespace of the chart's Secret. */
    readonly namespace: string;
    /** True if the stack's file has the day of its last rotation. */
    readonly rotated: boolean;
}

/**
 * Every value that the charts of a home have generated; values in the stack's file do not count.
 *
 * @throws Failure that lists the mistakes in manifests and declarations
 */
export function generatedValues(root: string, { settings, file }: Stack): GeneratedValue[] {
    const applications = readApplications(root, settings.cluster);
    const { secrets, rotations } = {
        secrets: file.config["hearth:secrets"],
        rotations: file.config["hearth:rotations"],
    } as StackSecrets;
    const declarations = readSecretDeclarations(
        root,
        applications.map(({ name }) => name),
    );
    return applications.flatMap(({ name: chart, namespace }) =>
        Object.entries(declarations[chart] ?? {})
            .filter(([key, declaration]) => "generate" in declaration && secrets?.[chart]?.[key] === undefined)
            .map(([key]) => ({ chart, key, namespace, rotated: rotations?.[chart]?.[key] !== undefined })),
    );
}

/** The values in the cluster's Secrets; missing ones are left out. */
export async function valuesInCluster(
    kubectl: Kubectl,
    values: readonly GeneratedValue[],
): Promise<(GeneratedValue & { readonly value: string })[]> {
    const secrets = await kubectl.list<{
        readonly metadata: { readonly namespace: string; readonly name: string };
        readonly data?: Readonly<Record<string, string>>;
    }>("secrets", "--all-namespaces");
    return values.flatMap((each) => {
        const encoded = secrets.find(
            ({ metadata }) => metadata.namespace === each.namespace && metadata.name === `${each.chart}-secrets`,
        )?.data?.[each.key];
        return encoded === undefined ? [] : [{ ...each, value: Buffer.from(encoded, "base64").toString() }];
    });
}

/** Writes values into the stack's file, encrypted: from then on, the program reads them there. */
export async function keepValues(
    stack: string,
    values: readonly (GeneratedValue & { readonly value: string })[],
): Promise<void> {
    const path = stackFileName(stack);
    checkSize(path, configSize(readStackFile(path).config) + JSON.stringify(values).length);
    const vault = new Vault(stack, undefined);
    for (const { chart, key, rotated, value } of values) {
        await vault.set(["secrets", chart, key], value);
        if (rotated) {
            // Given values are not rotated.
            await pulumi("config", "rm", "--path", configPath(["rotations", chart, key]), "--stack", stack);
        }
    }
}
