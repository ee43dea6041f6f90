/** Templates have no types of their own: what they make is any node. */
declare const htm: { bind(h: unknown): (strings: TemplateStringsArray, ...values: any[]) => any };
export default htm;
