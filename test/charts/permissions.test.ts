import { expectGolden, goldenTest } from "./golden";
import { type Manifest, type Model, workloads } from "./manifest";
import { ruleInWords } from "./permission";
import { renderSystem } from "./system";
import { renderedCharts } from "./workspace";

let objects: Manifest[];

beforeAll(async () => {
    objects = [...[...renderedCharts().values()].flat(), ...(await renderSystem())];
}, 300_000);

const ofKind = <T>(...kinds: string[]) => objects.filter(({ kind }) => kinds.includes(kind)) as (Manifest & T)[];

function rulesOf({ roleRef, metadata }: Manifest & Model<"V1RoleBinding">): Model<"V1PolicyRule">[] {
    const role = ofKind<Model<"V1ClusterRole">>(roleRef.kind).find(
        (each) =>
            each.metadata.name === roleRef.name &&
            (roleRef.kind === "ClusterRole" || each.metadata.namespace === metadata.namespace),
    );
    // Kubernetes' own accounts are named, and not listed.
    return role ? (role.rules ?? []) : [{ verbs: ["everything of"], resources: [roleRef.name] }];
}

/** Rights of each account, and where they apply. */
function permissions(): string[] {
    const lines = ofKind<Model<"V1RoleBinding">>("RoleBinding", "ClusterRoleBinding").flatMap((binding) => {
        const where = binding.kind === "RoleBinding" ? `in ${binding.metadata.namespace}` : "everywhere";
        return (binding.subjects ?? []).flatMap((subject) =>
            rulesOf(binding).map(
                (rule) =>
                    `${subject.namespace ?? binding.metadata.namespace}/${subject.name} ${where}: ${ruleInWords(rule)}`,
            ),
        );
    });
    return [...new Set(lines)].sort();
}

test(goldenTest("accounts have the permissions of golden/permissions.txt, and no others"), () => {
    expectGolden("permissions.txt", permissions());
});

test("no service can change anything in the cluster, or read a Secret", () => {
    const system = /^(argocd|cert-manager|metallb-system|kube-system)\//;
    const ofServices = permissions().filter((line) => !system.test(line));
    expect(ofServices.length).toBeGreaterThan(0);
    for (const line of ofServices) {
        expect(line).toMatch(/: (get|list|watch)(,(get|list|watch))* /);
        expect(line).not.toMatch(/\b(secrets|\*)\b|\*/);
    }
});

/** Reports whether the pods of a workload have a token of their account, by Kubernetes' rules. */
function accountsWithToken(): string[] {
    return workloads(objects)
        .filter(({ template, namespace }) => {
            const { serviceAccountName, automountServiceAccountToken } = template.spec ?? {};
            const account = ofKind<Model<"V1ServiceAccount">>("ServiceAccount").find(
                ({ metadata }) => metadata.name === serviceAccountName && metadata.namespace === namespace,
            );
            const projects = template.spec?.volumes?.some(({ projected }) =>
                projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken),
            );
            return projects || (automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true);
        })
        .map(
            ({ namespace, name, template }) =>
                `${namespace}/${template.spec?.serviceAccountName ?? "default"} (${name})`,
        )
        .sort();
}

test("no pod has a default account's token, and only the reviewed ones have their own account", () => {
    expect(accountsWithToken()).toEqual([
        "argocd/argocd-application-controller (argocd-application-controller)",
        // None of its pods run.
        "argocd/argocd-applicationset-controller (argocd-applicationset-controller)",
        "argocd/argocd-server (argocd-server)",
        "cert-manager/cert-manager (cert-manager)",
        "cert-manager/cert-manager-cainjector (cert-manager-cainjector)",
        "cert-manager/cert-manager-startupapicheck (cert-manager-startupapicheck)",
        "cert-manager/cert-manager-webhook (cert-manager-webhook)",
        // Gatus and Glance discover services.
        "gatus/gatus (gatus)",
        "glance/glance (glance)",
        "kube-system/csi-nfs-controller-sa (csi-nfs-controller)",
        // Upstream mounts it, and gives it no permission.
        "kube-system/csi-nfs-node-sa (csi-nfs-node)",
        "kube-system/descheduler (descheduler)",
        "metallb-system/metallb-controller (metallb-controller)",
        "metallb-system/metallb-speaker (metallb-speaker)",
        "monitoring/alloy (alloy)",
        "monitoring/events (events)",
        "monitoring/kube-state-metrics (kube-state-metrics)",
        "monitoring/prometheus (prometheus)",
        "pangolin/publisher (publisher)",
    ]);
});
