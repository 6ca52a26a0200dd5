import { resolve } from "node:path";
import { projectOf, readApplications } from "../../components/applications";
import { type GroupKind, projectSpecs } from "../../components/projects";
import { renderedCharts } from "./workspace";

const root = resolve(__dirname, "../..");
const rendered = renderedCharts();
const applications = readApplications(root, "home");
const specs = projectSpecs({
    applications,
    systemNamespaces: ["argocd", "cert-manager", "metallb-system"],
    gitRepository: "https://git.home.arpa/hearth/hearth.git",
    chartRepositories: ["https://charts.home.arpa"],
});

/** Same precedence as in Argo CD: deny before allow. */
function allows(project: string, namespace: string): boolean {
    const patterns = specs[project]?.destinations.map((each) => each.namespace) ?? [];
    const matches = (pattern: string) =>
        new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*")}$`).test(namespace);
    const isDenied = patterns.some((pattern) => pattern.startsWith("!") && matches(pattern.slice(1)));
    return !isDenied && patterns.some((pattern) => !pattern.startsWith("!") && matches(pattern));
}

test.each(applications.map((each) => [each.name, each] as const))(
    "%s allows everything that its Applications need",
    (name, { tier, namespace }) => {
        const project = projectOf(tier);
        expect(allows(project, namespace)).toBe(true);

        const allowed = [
            ...(specs[project]?.clusterResourceWhitelist ?? []),
            ...(specs[project]?.namespaceResourceWhitelist ?? []),
        ];
        const needed = (rendered.get(name) ?? []).map(
            ({ apiVersion, kind }): GroupKind => ({ group: apiVersion.replace(/\/?[^/]*$/, ""), kind }),
        );
        expect(needed.length).toBeGreaterThan(0);
        for (const each of needed) {
            expect(allowed).toContainEqual(each);
        }
    },
);

test.each([
    ["tier-3", "database"],
    ["tier-3", "argocd"],
    ["tier-3", "kube-system"],
    ["tier-3", "gitops"],
    ["tier-2", "jellyfin"],
    ["tier-2", "metallb-system"],
    ["tier-1", "argocd"],
    ["tier-1", "monitoring"],
    ["root", "jellyfin"],
    ["default", "jellyfin"],
])("objects of %s cannot be deployed to %s", (project, namespace) => {
    expect(allows(project, namespace)).toBe(false);
});

test("a new service needs no run of the program: a namespace that no Application has is allowed", () => {
    expect(allows("tier-3", "wishlist")).toBe(true);
});

test("an app cannot create a Secret, a Role or an Application", () => {
    const kinds = specs["tier-3"]?.namespaceResourceWhitelist.map(({ kind }) => kind);
    for (const kind of ["Secret", "Role", "RoleBinding", "Application", "AppProject"]) {
        expect(kinds).not.toContain(kind);
    }
});

test("all sources are the home's repository, except for tier 2's upstream charts", () => {
    for (const [project, { sourceRepos }] of Object.entries(specs)) {
        const more = project === "tier-2" ? ["https://charts.home.arpa"] : [];
        expect([project, sourceRepos]).toEqual([
            project,
            project === "default" ? [] : ["https://git.home.arpa/hearth/hearth.git", ...more],
        ]);
    }
});
