declare const dagre: any;
export default dagre;
