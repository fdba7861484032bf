//! The batch scripts.

/// Times Slurm may start a task again before it is left as it is: a time limit in which no replicate ends would go on for
/// ever.
pub const MOST_RESTARTS: u32 = 20;

/// What the jobs of a run do.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is run, for comments and the name of the jobs.
    pub name: String,
    /// Command of a task but for `--shard I/M` and `--threads N`: program, then arguments.
    pub task: Vec<String>,
    /// Command of the merge job but for `--threads N`.
    pub merge: Vec<String>,
    /// Shards of the run.
    pub shards: u64,
    /// Replicates a cell, for the record.
    pub replicates: u64,
}

/// An argument as a shell reads it.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// A command line as a shell reads it.
pub fn command_line(arguments: &[String]) -> String {
    arguments.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" ")
}

/// A text for a comment: one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Job {
    /// The name of the jobs: what the cluster shows, and takes without quotes.
    pub fn job_name(&self, tag: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = self.name.chars().take(40).map(plain).collect();
        format!("convstat-{name}-{tag}")
    }

    /// The script of the array's tasks: one shard each.
    pub fn array_script(&self) -> String {
        format!(
            r#"#!/bin/bash
# {name}: one shard of {shards}, the number of this task of the job array. Written by convstat study submit.
echo "$(date '+%F %T') shard $SLURM_ARRAY_TASK_ID of {shards} on $(hostname), restart ${{SLURM_RESTART_COUNT:-0}}"

# Slurm warns this shell alone with USR1 before the time limit. When it ends a task it sends TERM to this shell and to the
# program: sent on, the program would get it twice, and stop at once instead of ending its replicates.
trap 'interrupted=yes; kill -TERM "$program"' USR1
trap 'interrupted=yes' TERM

{task} \
    --shard "$SLURM_ARRAY_TASK_ID/{shards}" --threads "${{SLURM_CPUS_PER_TASK:-1}}" &
program=$!
interrupted=yes
while [ -n "$interrupted" ]; do
    interrupted=
    wait "$program"
    status=$?
done

# 3: stopped in good order, with replicates missing. If the task still counts as running, nobody has cancelled it: the time
# limit is near, or the machine is wanted. It goes back to the queue and goes on from there.
task="${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
if [ "$status" -eq 3 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt {MOST_RESTARTS} ] &&
    [ "$(squeue --noheader --format=%T --jobs="$task")" = RUNNING ]; then
    echo "back to the queue"
    scontrol requeue "$task"
fi
exit "$status"
"#,
            name = one_line(&self.name),
            shards = self.shards,
            task = command_line(&self.task),
        )
    }

    /// The script of the merge job.
    pub fn merge_script(&self) -> String {
        format!(
            "#!/bin/bash\n# {}: summary and checks of all shards; says which are incomplete. Written by convstat study \
             submit.\necho \"$(date '+%F %T') merge on $(hostname)\"\nexec {} --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"\n",
            one_line(&self.name),
            command_line(&self.merge)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_arguments_as_they_are() {
        let arguments = ["plain-1.0", "", "two words", "it's", "$HOME `x` \"q\" \\", "a\nb", "100%", "*"];
        let script = format!("printf '%s|' {}", command_line(&arguments.map(str::to_owned)));
        let out = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), arguments.map(|a| format!("{a}|")).concat());
    }

    #[test]
    fn scripts_are_bash_whatever_the_names() {
        let name = "it's\n$(touch x) \"study\"".to_owned();
        let words = ["/a b/it's", "study", "run", "$x"].map(str::to_owned).to_vec();
        let job = Job { name, task: words.clone(), merge: words, shards: 7, replicates: 2 };
        assert_eq!(job.job_name("ab12"), "convstat-it-s---touch-x---study--ab12");
        for script in [job.array_script(), job.merge_script()] {
            let checked = std::process::Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
            assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
            assert!(script.contains(r"'/a b/it'\''s' study run '$x'"), "{script}");
        }
    }
}
