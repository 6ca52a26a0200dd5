import pc from "picocolors";

/** Colors on a terminal, plain text elsewhere. No information is in the color alone. https://no-color.org */
export const colors = pc.createColors(Boolean(process.stdout.isTTY) && !process.env["NO_COLOR"]);
