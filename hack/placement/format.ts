import { formatAge } from "../age";
import { colors } from "../colors";
import { formatTable } from "../table";
import type { Answer, NodeAnswer, Service } from "./answer";
import { formatRestore, type Restore } from "./restore";

const reasonsOf = ({ reasons }: Service) => reasons.join("; ");

const afterOf = ({ before, after: [least, most] }: Service) =>
    `${least === most ? least : `${least} to ${most}`} of ${before}`;

/** Rows under a title; nothing without rows. */
function section(title: string, rows: readonly string[][]): string[] {
    const [first, ...others] = rows.map(([name = "", ...cells]) => [`  ${name}`, ...cells]);
    return first ? [colors.bold(title), formatTable(first, others), ""] : [];
}

/** Services in a paragraph under a title; nothing without services. */
function paragraph(title: string, services: readonly Service[], cells: (service: Service) => string[]): string[] {
    return section(
        title,
        services.map((each) => [each.service, ...cells(each)]),
    );
}

function data({ claims, ...rest }: Restore): string[] {
    const rows = claims.map(({ claim, copied, seconds }) => [
        claim,
        copied === undefined ? colors.red("no backup") : `copied ${formatAge(copied)} ago`,
        seconds === undefined ? "" : `restored in ${Math.round(seconds)} s`,
    ]);
    return section(`Lost volumes: ${formatRestore({ claims, ...rest })}`, rows);
}

/** An answer for a person. */
export function formatAnswer(answer: Answer): string {
    const { stops, mayStop, reduced, moves, starts, waiting, unfit, controlPlane, restore } = answer;
    const goes = (service: Service) =>
        service.moves.map(({ from, to }) => `${from ? `${from} to ` : ""}${to.join(" or ")}`).join(", ");
    const quiet = [stops, mayStop, reduced, moves, starts, unfit].every(({ length }) => length === 0);
    return [
        ...(controlPlane ? [`${colors.red("The API server is lost:")} ${controlPlane}.`, ""] : []),
        ...paragraph("Does not fit", unfit, (each) => [
            `${each.after[0]} of ${each.pods} ${each.pods === 1 ? "pod" : "pods"}`,
            reasonsOf(each),
        ]),
        ...paragraph("Stops", stops, (each) => [reasonsOf(each)]),
        ...paragraph("May stop, depending on the order in which pods are recreated", mayStop, (each) => [
            reasonsOf(each),
        ]),
        ...paragraph("Runs with fewer pods", reduced, (each) => [afterOf(each), reasonsOf(each)]),
        ...paragraph("Moves", moves, (each) => [goes(each)]),
        ...paragraph("Starts", starts, (each) => [goes(each)]),
        ...paragraph("Stays without a node", waiting, (each) => [reasonsOf(each)]),
        ...data(restore),
        ...(quiet ? ["Nothing stops and nothing moves.", ""] : []),
    ]
        .join("\n")
        .trimEnd();
}

/** An answer under its question. */
export function formatQuestion(question: string, answer: Answer): string {
    return `${colors.bold(question)}\n\n${formatAnswer(answer)}`;
}

/** Answers for an upgrade. */
export function formatUpgrade(answers: readonly NodeAnswer[]): string {
    if (answers.length === 0) {
        return "The only node is not drained: its pods keep running while k3s is upgraded.";
    }
    return answers
        .map(({ node, refused, ...answer }) =>
            refused.length > 0
                ? `${colors.bold(`${node} is not drained:`)} no controller recreates ${refused.join(", ")}. The upgrade ends here; ` +
                  "delete the pods first.\n"
                : `${formatQuestion(`While ${node} is drained and upgraded:`, answer)}\n`,
        )
        .join("\n")
        .trimEnd();
}
