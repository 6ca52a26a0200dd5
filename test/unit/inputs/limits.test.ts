import { capture } from "../../../hack/capture";
import { Kubectl } from "../../../hack/kubectl";

jest.mock("../../../hack/capture", () => ({ capture: jest.fn(() => Promise.resolve('{"items":[]}')) }));

describe("kind 7: every wait has a limit", () => {
    test.each([
        ["a question", ["get", "pods"], ["--request-timeout=60s"], 120],
        ["a removal, which a finalizer may hold", ["delete", "job", "a"], ["--timeout=120s"], 0],
        ["a removal that nobody waits for", ["delete", "job", "a", "--wait=false"], [], 0],
        ["a removal with its own limit", ["delete", "node", "a", "--timeout=30s"], [], 0],
        ["a rollout", ["rollout", "status", "deployment/a", "--timeout=5m"], [], 0],
    ])("%s of kubectl", async (_, args, added, limit) => {
        await new Kubectl("kubeconfig").run(args);
        expect(capture).toHaveBeenLastCalledWith(
            expect.stringContaining("kubectl"),
            ["--kubeconfig", "kubeconfig", ...added, ...args],
            expect.objectContaining({ limit }),
        );
    });
});
