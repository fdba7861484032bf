fn main() {
    let mut a = std::env::args().skip(1);
    let p = a.next().unwrap();
    let inputs = a.map(|i| i.parse().unwrap()).collect();
    let t = std::time::Instant::now();
    let m = convstat_audit::onnx::open(p.as_ref(), &convstat_audit::onnx::OnnxOptions { inputs });
    let s = t.elapsed().as_secs_f64();
    let m = match m { Ok(m) => m, Err(e) => { println!("ERROR {e}"); return } };
    let hwm = std::fs::read_to_string("/proc/self/status").unwrap();
    let hwm = hwm.lines().find(|l| l.starts_with("VmHWM")).unwrap().to_owned();
    if std::env::var("V").is_ok() {
        for (i, n) in m.graph.nodes.iter().enumerate() {
            let mut op = format!("{:?}", n.op); if let Some(j) = op.find(", weight") { op.truncate(j); }
            println!("{i} {} {} {:?} {:?} p{} m{}", n.name, op, n.inputs, n.shape, n.parameters(), n.macs());
        }
    }
    let empty = m.graph.nodes.iter().filter(|n| n.shape.is_empty()).count();
    println!("{p} opset {} ir {} [{}] nodes {} unshaped {empty} params {} (graph {}) macs {} {s:.3}s {hwm}", m.opset, m.ir_version, m.producer, m.graph.nodes.len(), m.parameters, m.graph.parameters(), m.graph.macs());
    println!("   notes {:?}", m.notes);
}
